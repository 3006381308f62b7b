"""Opens pages in a headless browser, and lets a script of the test drive them."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# in virtual time a headless browser makes no frames after the first
FRAMES = "<head><script>window.requestAnimationFrame = (work) => setTimeout(work, 0);</script>"
# what a script looks at
TOOLS = """
const drawn = () => new Promise((done) => setTimeout(done, 100));
function covered() {  // number of the pixels that meshes cover, and a checksum
  const copy = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  copy.canvas.width = canvas.width; copy.canvas.height = canvas.height;
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0, sum = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i]) { count++; sum = (sum * 31 + data[i - 3] + i) % 1000003; }
  return [count, sum];
}
function press(selector, word) {
  [...document.querySelectorAll(selector)].find((each) => !word || each.textContent === word).click();
}
"""


def browser() -> str:
    for name in BROWSERS:
        if shutil.which(name):
            return name
    raise AssertionError(
        f"pages are tested in a browser; install one of: {', '.join(BROWSERS)} (apt-get install chromium)"
    )


def open_page(path: Path, *words: str) -> subprocess.CompletedProcess:
    """Load a page in a window of 1280 x 1500 px with nothing but its file."""
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
        f"--user-data-dir={path.parent / 'profile'}", "--window-size=1280,1500", "--virtual-time-budget=8000", *words,
        path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def drive(page: str, script: str, folder: Path):
    """What the body of an async function returns in a page, by way of JSON; nothing may be on the console."""
    driver = f"""<pre id="seen"></pre><script>
(async () => {{ {TOOLS} {script} }})().then((seen) => {{
  document.getElementById("seen").textContent = JSON.stringify(seen);
}});
</script>"""
    path = folder / "driven.html"
    path.write_text(page.replace("<head>", FRAMES, 1).replace("</body>", f"{driver}</body>"))
    result = open_page(path, "--dump-dom")
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    assert not console, console
    seen = re.search(r'<pre id="seen">(.+?)</pre>', result.stdout, re.DOTALL)
    assert seen, result.stdout[-500:] + result.stderr[-2000:]
    return json.loads(html.unescape(seen[1]))
