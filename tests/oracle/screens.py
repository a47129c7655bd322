"""The size of a report as a browser shows it: the first page, the screens before the appendix, what is wider than the window, and
the printed pages.

Usage: screens.py REPORT [SCREENS] [PICTURES]      (needs Python 3.11 and Chromium; CHROMIUM names the program)

A screen is 1200 x 900. SCREENS is the number of screens before the appendix that are allowed, 9 by default; with 0 nothing is said
of lengths. With a folder
PICTURES, screenshots of 1200, 1920 and 390 pixels, of the dark colours and of the first page, and the printed pages are written
into it. Exit code 1 where the first page is longer than one screen or one sheet, the rest is longer than SCREENS, or something is
wider than the window, than its part of the first page or than its chart at 1200, 1920, 768 or 390 pixels.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)

# Elements reach beyond the window only inside a box that scrolls by itself. What is hidden from sight is no part of the page.
MEASURE = """
addEventListener("load", () => {
  const wide = [];
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect(), style = getComputedStyle(element);
    if (!box.width || element.closest("[hidden], .copying") || style.clipPath !== "none") continue;
    if (box.right <= innerWidth + 1 && box.left >= -1) continue;
    let around = element.parentElement, held = false;
    while (around && around !== document.body) {
      const s = getComputedStyle(around);
      if (s.overflowX !== "visible" || s.clipPath !== "none") { held = true; break; }
      around = around.parentElement;
    }
    if (!held) wide.push(element.tagName + "." + element.getAttribute("class") + " " + Math.round(box.left) + ".." + Math.round(box.right));
  }
  const scrolled = [...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => e.closest("section").id + ": " + e.scrollWidth + " in " + e.clientWidth);
  const spilled = [...document.querySelectorAll(".front > section")].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.id);
  for (const label of document.querySelectorAll(".dot + text")) {
    const box = label.getBoundingClientRect(), chart = label.closest("svg").getBoundingClientRect();
    if (box.left < chart.left - 1 || box.right > chart.right + 1) spilled.push("label " + label.textContent);
  }
  const end = selector => { const e = document.querySelector(selector); return e ? e.getBoundingClientRect() : {}; };
  parent.postMessage(JSON.stringify({
    width: document.documentElement.scrollWidth, window: innerWidth, height: document.documentElement.scrollHeight,
    front: end(".front").bottom, appendix: end("#appendix").top, wide: wide.slice(0, 5), scrolled, spilled,
  }), "*");
});
"""


def chromium(folder, *arguments):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000",
               f"--user-data-dir={folder}/profile", *arguments]
    return subprocess.run(command, capture_output=True, timeout=180)


def framed(folder, report, width, height, name="framed.html"):
    """A page that shows the report in a frame, since a window of Chromium is never narrower than 500 pixels. The rule against other
    scripts is taken out of the copy of the report that is measured."""
    text = pathlib.Path(report).read_text()
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    copy = pathlib.Path(folder) / "measured.html"
    copy.write_text(text.replace("</body>", f"<script>{MEASURE}</script></body>"))
    frame = pathlib.Path(folder) / name
    frame.write_text(f"""<!DOCTYPE html><body style="margin:0"><script>
addEventListener("message", e => document.body.setAttribute("data-measured", e.data));
</script><iframe src="{copy.name}" style="border:0;display:block" width="{width}" height="{height}"></iframe>""")
    return frame.as_uri()


def measured(folder, report, width, height=900):
    shown = chromium(folder, "--dump-dom", framed(folder, report, width, height)).stdout.decode()
    found = re.search(r'data-measured="([^"]*)"', shown)
    return json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))


def printed(folder, report):
    """The number of printed pages, and of those before the first chapter: a break follows the first page."""
    pdf = pathlib.Path(folder) / "printed.pdf"
    chromium(folder, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", pathlib.Path(report).resolve().as_uri())
    whole = len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
    text = pathlib.Path(report).read_text()
    front = pathlib.Path(folder) / "front.html"
    front.write_text(re.sub(r"<nav aria-label.*</main>", "</main>", text, flags=re.S).replace("<footer>", "<footer hidden>"))
    only = pathlib.Path(folder) / "front.pdf"
    chromium(folder, "--no-pdf-header-footer", f"--print-to-pdf={only}", front.as_uri())
    return whole, len(re.findall(rb"/Type\s*/Page\b", only.read_bytes()))


def pictures(folder, report, into):
    into = pathlib.Path(into)
    into.mkdir(parents=True, exist_ok=True)
    address = pathlib.Path(report).resolve().as_uri()
    for width in (1200, 1920, 390):
        height = measured(folder, report, width)["height"]
        page = framed(folder, report, width, height)
        chromium(folder, f"--window-size={max(width, 500)},{height}", f"--screenshot={into}/{width}.png", page)
    height = measured(folder, report, 1200)["height"]
    chromium(folder, f"--window-size=1200,{height}", "--blink-settings=preferredColorScheme=0", f"--screenshot={into}/dark.png", address)
    chromium(folder, "--window-size=1200,900", f"--screenshot={into}/first.png", address)
    shutil.copy(pathlib.Path(folder) / "printed.pdf", into / "printed.pdf")


def main():
    if len(sys.argv) < 2 or CHROMIUM is None:
        sys.exit(__doc__ if CHROMIUM else "no Chromium is installed")
    report, allowed = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 9.0
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for width in (1200, 1920, 768, 390):
            page = measured(folder, report, width)
            print(f"{width}: page {page['width']} x {page['height']}, first page ends at {page['front']:.0f}, "
                  f"appendix begins at {page['appendix']:.0f} ({page['appendix'] / 900:.2f} screens of 900)")
            for box in page["scrolled"]:
                print(f"  scrolls by itself: {box}")
            if page["width"] > page["window"] + 1 or page["wide"]:
                failures.append(f"{width}: wider than the window: {page['width']}, {page['wide']}")
            if page["spilled"]:
                failures.append(f"{width}: lies over something else: {page['spilled']}")
            if allowed and width == 1200 and page["front"] > 900:
                failures.append(f"the first page ends at {page['front']:.0f} of 900 pixels")
            if allowed and width == 1200 and page["appendix"] > allowed * 900:
                failures.append(f"{page['appendix'] / 900:.2f} screens before the appendix, {allowed} are allowed")
        whole, front = printed(folder, report)
        print(f"printed: {whole} pages, the first page takes {front}")
        if allowed and front != 1:
            failures.append(f"the first page takes {front} sheets")
        if len(sys.argv) > 3:
            pictures(folder, report, sys.argv[3])
    print("\n".join(f"FAIL {failure}" for failure in failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
