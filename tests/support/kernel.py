"""A real IPython kernel, used as front ends use it."""

from __future__ import annotations

import json
import time
from queue import Empty
from typing import Any

from tests.support.requirements import Requirement, skip_without


class Kernel:
    """Runs cells in a kernel as a front end with a person does (`allow_stdin`), or as a runner does."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, code: str, watched: bool = True) -> tuple[list[dict[str, Any]], str]:
        """The outputs of a cell (mime bundles and texts), and what it raised."""
        outputs: list[dict[str, Any]] = []
        error: list[str] = []

        def add(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind in ("display_data", "execute_result"):
                outputs.append(content["data"])
            elif kind == "stream" and content["name"] == "stderr":
                error.append(content["text"])
            elif kind == "stream":
                outputs.append({"text": content["text"]})
            elif kind == "error":
                error.extend(content["traceback"])

        self._client.execute_interactive(code, allow_stdin=watched, output_hook=add, timeout=120)
        return outputs, "\n".join(error)

    def value(self, expression: str) -> Any:
        reply = self._client.execute(
            "", silent=True, user_expressions={"x": f"__import__('json').dumps({expression})"}, reply=True, timeout=60
        )
        return json.loads(eval(reply["content"]["user_expressions"]["x"]["data"]["text/plain"]))

    def start(self, code: str) -> str:
        """Have a cell run, without waiting for it; returns its message's identity."""
        return str(self._client.execute(code, allow_stdin=True, stop_on_error=False))  # what follows is not aborted

    def await_end(self, cell: str, seconds: float = 30) -> None:
        """Wait until a cell that was started has come to its end."""
        while True:
            message = self._client.get_shell_msg(timeout=seconds)
            if message["parent_header"].get("msg_id") == cell:
                return

    def await_text(self, text: str, seconds: float = 60) -> None:
        """Wait until a message to all front ends has a text in it."""
        while text not in json.dumps(
            self._client.get_iopub_msg(timeout=seconds)["content"], default=str, ensure_ascii=False
        ):
            pass

    def receive(self, seconds: float) -> list[dict[str, Any]]:
        """All messages to all front ends in the next seconds."""
        messages, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                messages.append(self._client.get_iopub_msg(timeout=left))
            except Empty:
                break
        return messages

    def complete(self, line: str) -> list[str]:
        return self._client.complete(line, len(line), reply=True, timeout=30)["content"]["matches"]


def subshell(client: Any) -> str:
    """A thread of the kernel for comm messages, as JupyterLab asks for one."""
    info = client.kernel_info(reply=True, timeout=10)
    if "kernel subshells" not in info["content"].get("supported_features", []):
        skip_without(Requirement.SUBSHELLS, "a page is heard when the cell has ended")
    request = client.session.msg("create_subshell_request", {})
    client.control_channel.send(request)
    reply = client.get_control_msg(timeout=10)
    return str(reply["content"]["subshell_id"])
