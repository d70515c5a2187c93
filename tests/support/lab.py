"""A real JupyterLab in a home of its own, driven through headless Chromium."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import nbformat
from playwright.sync_api import Browser, Locator, Page, ViewportSize, sync_playwright

from tests.support.requirements import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
VIEWPORT: ViewportSize = {"width": 1200, "height": 900}
QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


class Lab:
    """A JupyterLab server whose root is `work`; used as a context manager."""

    def __init__(self, work: Path) -> None:
        self.work, self._home = work, work / ".home"

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.token = f"http://127.0.0.1:{port}", secrets.token_hex(16)
        home = self._home
        self._write_settings()
        env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "IPYTHON"))}
        env |= {
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
            "NBFORECAST_CACHE_DIR": str(home / "cache"),
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
                   f"--port={port}",
                   "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}", "--LabApp.news_url=None",
                   f"--ServerApp.root_dir={self.work}", "--LabApp.expose_app_in_browser=True",
                   "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]  # fmt: skip
        self._log = (home / "server.log").open("w")
        self._process = subprocess.Popen(
            command, env=env, cwd=self.work, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._await_start(home)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._log.close()

    def add_kernel(self, name: str, **environment: str) -> None:
        """Have kernels of a name start with an environment."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": name, "language": "python", "env": environment}
        file = self._home / "data" / "kernels" / name / "kernel.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(spec))

    def shut_down_kernels(self) -> None:
        for kernel in json.loads(self._request("GET", "kernels")):
            self._request("DELETE", f"kernels/{kernel['id']}")

    def _write_settings(self) -> None:
        for plugin, values in {
            "notebook-extension/tracker": {"windowingMode": "none"},
            "apputils-extension/notification": QUIET,
            "apputils-extension/themes": {"theme": "JupyterLab Light"},
        }.items():
            file = self._home / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))

    def _request(self, method: str, name: str) -> bytes:
        request = urllib.request.Request(f"{self.url}/api/{name}?token={self.token}", method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return bytes(response.read())

    def _await_start(self, home: Path) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                self._request("GET", "status")
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((home / "server.log").read_text()[-3000:]) from None
                time.sleep(0.1)


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def browser_page(width: int = 1200, height: int = 900) -> Iterator[Page]:
    """A page of a browser of its own."""
    with launch_browser() as browser:
        yield browser.new_page(viewport={"width": width, "height": height})


def write_notebook(path: Path, cells: list[str], kernel: str = "python3") -> None:
    code = [nbformat.v4.new_code_cell(c) for c in cells]
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": spec}), path)


def open_document(page: Page, lab: Lab, name: str, kernel_id: str | None = None) -> None:
    """Open a file in a page of JupyterLab and nothing beside it.

    A page is loaded once, which takes seconds of CPU time; what is open in it is closed, unsaved.

    Args:
        page: A page, of JupyterLab or empty.
        lab: Its server.
        name: The file, from the root of the server.
        kernel_id: A running kernel for it, if it is to have none of its own.
    """
    if not page.url.startswith(f"{lab.url}/lab"):
        page.goto(f"{lab.url}/lab/workspaces/w{secrets.token_hex(4)}?token={lab.token}&reset")
        page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
        page.wait_for_function("() => window.jupyterapp?.restored", timeout=60_000, polling=100)
    close_documents(page)
    page.evaluate(
        """async ([path, id]) => { const app = window.jupyterapp; await app.restored;
        await app.serviceManager.kernelspecs.refreshSpecs();
        await app.commands.execute('docmanager:open', {path, kernel: id ? {id} : undefined}); }""",
        [name, kernel_id],
    )


def close_documents(page: Page) -> None:
    """Close all documents of a page of JupyterLab, unsaved; their kernels go on."""
    page.evaluate("() => { for (const widget of [...window.jupyterapp.shell.widgets('main')]) widget.dispose(); }")


class Notebook:
    """A notebook open in JupyterLab, alone or with the kernel of another; cells are run by number."""

    def __init__(
        self, page: Page, lab: Lab, name: str, cells: list[str], kernel: str = "python3", kernel_id: str | None = None
    ) -> None:
        self.page = page
        write_notebook(lab.work / name, cells, kernel)
        open_document(page, lab, name, kernel_id)
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.panel.wait_for(timeout=60_000)
        # the indicator shows idle before a kernel is attached, and a run issued then is dropped
        self.kernel_id: str = page.evaluate("""async () => {
            const panel = window.jupyterapp.shell.currentWidget;
            await panel.context.ready; await panel.sessionContext.ready;
            const kernel = panel.sessionContext.session.kernel;
            await kernel.info; return kernel.id; }""")

    def run(self, cell: int, wait: bool = True) -> None:
        """Run a cell; `wait` until its reply has come."""
        self.page.evaluate(
            """([cell, wait]) => {
            const panel = window.jupyterapp.shell.currentWidget;
            panel.content.deselectAll(); panel.content.activeCellIndex = cell;
            const ran = window.jupyterapp.commands.execute('notebook:run-cell'); return wait ? ran : null; }""",
            [cell, wait],
        )

    def cell(self, number: int) -> Locator:
        return self.panel.locator(f".jp-Cell[data-windowed-list-index='{number}']")

    def outputs(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-OutputArea-output")

    def evaluate(self, expression: str) -> Any:
        """`repr` of an expression in the kernel."""
        return self.page.evaluate(
            """async e => { const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const reply = await kernel.requestExecute(
                {code: '', silent: true, store_history: false, user_expressions: {x: e}}).done;
            const x = reply.content.user_expressions.x;
            return x.status === 'ok' ? x.data['text/plain'] : x.ename + ': ' + x.evalue; }""",
            expression,
        )

    def picture(self, number: int, name: str) -> Path:
        """A screenshot of a cell, kept under build/screenshots."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.cell(number).screenshot(path=path)
        return path
