#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Uses the page as a person does, in headless Chromium over its DevTools protocol.

usage: page_browser.py URL USER PASSWORD FOLDER STEP...     a line for each finding, status 1 if there is one

STEP: login, views, hostile, do:JAVASCRIPT (its value must be true within 10 s). Always found: a request to elsewhere, an error on the console, an
exception, an element wider than the window, an alert. The first view's bytes and time are printed as `first BYTES MS`. Pictures of the views: FOLDER.
"""
import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket

VIEWS = ["now", "queries", "top", "lists", "groups", "local", "cache", "config", "memory", "path"]
SIZES = [(360, 800, "dark"), (1280, 900, "light"), (1920, 1080, "dark")]
START_S, STEP_S = 30, 10
EXPECTED = "the server responded with a status of 401"  # of /user before the login


class Browser:
    def __init__(self, folder):
        self.folder, self.id, self.found, self.requests, self.bytes = folder, 0, [], [], 0
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--disable-background-networking",
             "--disable-component-update", "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={self.profile.name}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self.port()
        page = next(t for t in json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json")) if t["type"] == "page")
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=STEP_S, suppress_origin=True)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def port(self):
        file, end = pathlib.Path(self.profile.name, "DevToolsActivePort"), time.monotonic() + START_S
        while time.monotonic() < end:
            if file.exists() and len(file.read_text().split("\n")) > 1:
                return int(file.read_text().split("\n")[0])
            time.sleep(0.1)
        sys.exit("page_browser.py: Chromium does not start")

    def call(self, method, **params):
        self.id += 1
        mine = self.id
        self.socket.send(json.dumps({"id": mine, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == mine:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.note(message)

    def note(self, message):
        method, p = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])
        elif method == "Network.loadingFinished":
            self.bytes += p["encodedDataLength"]
        elif method == "Runtime.exceptionThrown":
            self.found.append("exception: " + str(p["exceptionDetails"].get("exception", {}).get("description", p["exceptionDetails"]["text"])))
        elif method == "Log.entryAdded" and p["entry"]["level"] == "error" and EXPECTED not in p["entry"]["text"]:
            self.found.append("console: " + p["entry"]["text"] + " " + p["entry"].get("url", ""))

    def value(self, script):
        r = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in r:
            self.found.append(f"{script}: {r['exceptionDetails']['text']}")
        return r["result"].get("value")

    def until(self, script):
        end = time.monotonic() + STEP_S
        while time.monotonic() < end:
            if self.value(script) is True:
                return True
            time.sleep(0.1)
        self.found.append(f"never true: {script}")
        return False

    def size(self, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, name):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=False)["data"]
        pathlib.Path(self.folder, name + ".png").write_bytes(base64.b64decode(data))

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.profile.cleanup()


def login(b, url, user, password):
    b.call("Page.navigate", url=url)
    b.until("!!document.querySelector('input[name=password]')")
    fill = "(n, v) => { document.querySelector(`input[name=${n}]`).value = v; }"
    press = "document.querySelector('button[type=submit]').click()"
    b.value(f"({fill})('user', {json.dumps(user)}); ({fill})('password', 'not the password'); {press}")
    b.until("document.querySelector('[role=alert]').textContent.includes('wrong user or password')")
    b.value(f"({fill})('password', {json.dumps(password)}); {press}")
    b.until("!!document.querySelector('.tile')")


def first(b, url):
    b.call("Network.setCacheDisabled", cacheDisabled=True)
    b.call("Page.navigate", url="about:blank")
    b.bytes = 0
    began = time.monotonic()
    b.call("Page.navigate", url=url)
    b.until("!!document.querySelector('main table')")
    took = time.monotonic() - began
    b.value("new Promise((r) => setTimeout(r, 500))")
    print(f"first {b.bytes} {round(1000 * took)}")


WIDE = """[...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll') && e.id !== 'said' && !e.classList.contains('skip')
  && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + '.' + e.className).slice(0, 3).join(' ')"""


def views(b, url):
    for width, height, scheme in SIZES:
        b.size(width, height, scheme)
        for view in VIEWS:
            b.value(f"location.hash = '#/{view}'")
            b.until(f"document.querySelector('nav a[aria-current]')?.hash === '#/{view}' && !!document.querySelector('main h1')"
                    " && !!document.querySelector('main table, main .tile, main pre, main .facts')")
            wide, alert = b.value(WIDE), b.value("document.querySelector('main [role=alert]')?.textContent ?? ''")
            if wide:
                b.found.append(f"{view} at {width}: wider than the window: {wide}")
            if alert:
                b.found.append(f"{view}: {alert}")
            b.picture(f"{view}-{width}-{scheme}")


# A name from the network is text, whatever it looks like.
def hostile(b, url):
    b.value("location.hash = '#/queries'")
    b.until("document.querySelector('main').textContent.includes('<img')")
    if b.value("document.querySelectorAll('main img, main script').length + (window.hacked ? 1 : 0)") != 0:
        b.found.append("a name became markup")


def main():
    url, user, password, folder, *steps = sys.argv[1:]
    b = Browser(folder)
    try:
        for step in steps:
            if step == "login":
                login(b, url, user, password)
            elif step.startswith("do:"):
                b.until(step[3:])
            else:
                {"views": views, "hostile": hostile, "first": first}[step](b, url)
        b.found += [f"a request to elsewhere: {r}" for r in b.requests if not r.startswith((url, "about:", "data:"))]
    finally:
        b.close()
    print("\n".join(b.found), end="\n" if b.found else "")
    sys.exit(bool(b.found))


main()
