"""Training the pretrained forecaster on synthetic series: `python -m nbforecast.pretrain` (extra `pretrain`)."""
