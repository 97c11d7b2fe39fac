#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of the page's views: page_pictures.py URL USER PASSWORD FOLDER [VIEW...]

Writes FOLDER/VIEW-WIDTH-THEME.png with a palette of some colours. Each view is shown with something in it: a client that has been asking, a name that
is explained, a difference. A picture is as high as its view, within the bounds of its width.
"""
import base64
import io
import json
import pathlib
import sys
import time

import PIL.Image

import page_browser

SIZES = [(360, 720, 1500), (1280, 800, 1000), (1920, 900, 1000)]
COLOURS = 40
SETTLE_S, WATCH_S = 0.5, 90  # the chart of Now has something to show
PRESS = "(() => { const b = [...document.querySelectorAll('main button')].find((e) => e.textContent === %s); b?.click(); return !!b; })()"
# The address of a view, the script that runs in it, and the condition to wait for.
SCENES = {
    "queries": ("queries/verdict=blocked", "[...document.querySelectorAll('main tbody tr')].find((r) => r.textContent.includes('(ads)')).querySelector('button').click()", "!!document.querySelector('main .about')"),
    "top": ("top/86400", "", "!!document.querySelector('main canvas')"),
    "client": ("client/198.18.0.21", "", "!!document.querySelector('main canvas')"),
    "groups": ("groups", "document.querySelector('[aria-label=\"Group kids\"] details').open = true", "true"),
    "lists": ("lists", "", "!document.querySelector('main').textContent.includes('…')"),
    "cache": ("cache", "document.querySelector('main input').value = 'www.example.com'; document.querySelector('main form').requestSubmit()",
              "document.querySelectorAll('main tbody tr').length > 0"),
    "config": ("config", PRESS % json.dumps("What changed"), "!!document.querySelector('main .about pre')"),
    "memory": ("memory", "", "!!document.querySelector('main canvas')"),
    "path": ("path", "", "!document.querySelector('main').textContent.includes('…')"),
    "now": ("now", "", "document.querySelectorAll('main canvas').length === 2 && document.querySelectorAll('main .tile').length > 5"),
}


def picture(b, file):
    """The most frequent colours stay as they are, and others become the nearest of these."""
    image = PIL.Image.open(io.BytesIO(base64.b64decode(b.call("Page.captureScreenshot")["data"]))).convert("RGB")
    most = sorted(image.getcolors(image.width * image.height), reverse=True)[:COLOURS]
    palette = PIL.Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in most for part in colour])
    image.quantize(palette=palette, dither=PIL.Image.Dither.NONE).save(file, optimize=True)


def main():
    url, user, password, folder, *names = sys.argv[1:]
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    b = page_browser.Browser()
    try:
        b.size(1280, 900, "light")
        b.call("Emulation.setScrollbarsHidden", hidden=True)
        page_browser.login(b, url, user, password)
        for name in names or [*page_browser.VIEWS[1:], "now"]:  # whose chart of the day has some minutes then
            where, does, shown = SCENES.get(name, (name, "", "true"))
            b.view(where)
            time.sleep(WATCH_S if name == "now" else 0)
            if does:
                b.value(does + "; true")
            b.until(shown)
            for width, least, most in SIZES:
                for theme in ("light", "dark"):
                    b.size(width, least, theme)
                    b.size(width, min(most, max(least, b.value("document.documentElement.scrollHeight"))), theme)
                    b.value("scrollTo(0, 0); document.activeElement.blur(); true")
                    time.sleep(SETTLE_S)
                    picture(b, folder / f"{name}-{width}-{theme}.png")
    finally:
        b.close()
    print("\n".join(b.found), end="\n" if b.found else "")
    sys.exit(bool(b.found))


main()
