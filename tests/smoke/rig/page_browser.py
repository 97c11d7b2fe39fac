#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Uses the page as a person does, in headless Chromium over its DevTools protocol.

usage: page_browser.py URL USER PASSWORD STEP...     a line for each finding, status 1 if there is one

STEP: only:VIEW,VIEW (the views of the steps from here on), login, hint (what the login says of how to make a user, as `hint COMMAND`), first (its bytes and time, as `first BYTES MS`), views (in each size;
axe:FILE: with the rules of axe-core), keys (by keyboard alone), hostile, narrow (the smallest size from here on), saved:TEXT (a file with it is saved), do:JAVASCRIPT (its value must be true
within 30 s), speaks:LANGUAGE (that of the browser from here on), german (every view in the smallest size in German, without an English text; german:FILE: with
the rules of axe-core; then the choice of English), print:JAVASCRIPT (prints its value), touch:FILE (makes it), downloads:FOLDER (where those that follow go), drag:SELECTOR to SELECTOR (by mouse),
finger:SELECTOR to SELECTOR, key:NAME or key:Shift+NAME (a press), wide:WIDTH (whether something is wider than a window of
that width). Always found: a request to elsewhere, an error on the console, an exception, an element wider than the window, an alert.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket

VIEWS = ["now", "queries", "top", "client", "lists", "groups", "local", "settings", "devices", "cache", "config", "box", "memory", "path"]
SIZES = [(360, 800), (1280, 900), (1920, 1080)]
WITH_AXE = (360, 1280)  # and there in both colour schemes
START_S, STEP_S, REPLY_S = 30, 30, 60
# Replies that are no failure: /user before the login, /ready of a box that is not ready, a password that is too short,
# servers of a group that is gone, a change after another one, a fetch of lists after a login in another tab.
EXPECTED = (("a status of 401", ""), ("a status of 503", "/v1/ready?for=human"), ("a status of 400", "/v1/password/set?name=mia&role=admin"),
            ("a status of 400", "&path=groups%5Bkids%5D.upstreams&"),
            ("a status of 409", "/v1/config/restore?version="), *(("a status of 409", f"{p}=") for p in ("if_version", "if_previous", "new")),
            ("a status of 403", "/v1/blocklist/reload"))


AXE = """axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.flatMap((v) =>
  v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary.replaceAll(/\\s+/g, ' ')}`)))"""


class Browser:
    def __init__(self):
        self.id, self.found, self.requests, self.bytes, self.views = 0, [], [], 0, VIEWS
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--disable-background-networking",
             "--disable-component-update", "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={self.profile.name}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self.port()
        page = next(t for t in json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json")) if t["type"] == "page")
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=REPLY_S, suppress_origin=True)
        self.folder = pathlib.Path(self.profile.name, "saved")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.folder))
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)  # or it may not copy
        self.speaks("en-US")

    def speaks(self, language):
        self.call("Emulation.setUserAgentOverride", userAgent=self.call("Browser.getVersion")["userAgent"], acceptLanguage=language)

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
        elif method == "Log.entryAdded" and p["entry"]["level"] == "error":
            text, url = p["entry"]["text"], p["entry"].get("url", "")
            if not any(status in text and part in url for status, part in EXPECTED):
                self.found.append(f"console: {text} {url}")

    def value(self, script):
        """None also where another page comes before there is a value."""
        try:
            r = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        except RuntimeError as e:
            if "navigated" not in str(e):
                raise
            return None
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

    def key(self, name, code, modifiers=0, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, modifiers=modifiers, text=text if kind == "keyDown" else "")

    def view(self, name):
        """Opens it, by its name or `name/ARGUMENT`, and waits for its contents."""
        self.value(f"location.hash = '#/{name}'")
        self.until(f"document.querySelector('nav a[aria-current]')?.hash === '#/{name.split('/')[0]}' && !!document.querySelector('main h1')"
                   " && !!document.querySelector('main table, main .tile, main pre, main .facts')")

    def axe(self):
        """What breaks a rule, of what is shown."""
        found = self.value(AXE)
        return ["axe-core did not run"] if found is None else found

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


def hint(b, url):
    b.call("Page.navigate", url=url)
    b.until("!!document.querySelector('.login code')")
    print(f"hint {b.value(HINT)}")


HINT = "document.querySelector('.login code').textContent"

# When the first view is whole, in milliseconds since the navigation began, by the browser's own clock.
WHOLE = """new MutationObserver((_, o) => {
  if (!document.querySelector('main caption') || !document.querySelector('main .tile')) return;
  window.wholeMs = performance.now();
  o.disconnect();
}).observe(document, {childList: true, subtree: true})"""


def first(b, url):
    b.call("Network.setCacheDisabled", cacheDisabled=True)
    b.call("Page.navigate", url="about:blank")
    b.bytes = 0
    script = b.call("Page.addScriptToEvaluateOnNewDocument", source=WHOLE)
    b.call("Page.navigate", url=url)
    b.until("window.wholeMs > 0")
    took = b.value("window.wholeMs")
    b.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
    b.value("new Promise((r) => setTimeout(r, 500))")
    print(f"first {b.bytes} {round(took)}")


# In a narrow window rows are cards, and nothing is scrolled aside.
WIDE = """[...document.querySelectorAll('body *')].filter((e) => (innerWidth < 640 || !e.closest('.scroll')) && e.id !== 'said' && !e.classList.contains('skip')
  && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + '.' + e.className).slice(0, 3).join(' ')"""


# What a row comes to, where it is not seen without moving the table aside.
ASIDE = """[...document.querySelectorAll('main th')].filter((e) => ['Verdict', 'State', 'Result'].includes(e.textContent))
  .flatMap((e) => [e, ...[...e.closest('table').tBodies[0].rows].map((r) => r.cells[e.cellIndex])])
  .filter((e) => e?.getBoundingClientRect().right > Math.min(innerWidth, e?.closest('.scroll').getBoundingClientRect().right) + 1)
  .map((e) => e.textContent).slice(0, 3).join(' ')"""


def views(b, url, axe=""):
    if axe:
        b.value(pathlib.Path(axe).read_text() + "; true")
    b.until("(() => { const e = document.querySelector('header [aria-expanded]'); e?.click(); return !!e?.offsetParent; })()")  # the buttons of a pause
    b.until("!!document.querySelector('#pause button')")
    for width, height in SIZES:
        b.size(width, height, "dark")
        for view in b.views:
            b.view(view)
            b.value("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
            wide, alert = b.value(WIDE), b.value("document.querySelector('main [role=alert]')?.textContent ?? ''")
            if wide:
                b.found.append(f"{view} at {width}: wider than the window: {wide}")
            aside = b.value(ASIDE)
            if aside:
                b.found.append(f"{view} at {width}: out of sight: {aside}")
            if alert:
                b.found.append(f"{view}: {alert}")
            for scheme in ("dark", "light") if axe and width in WITH_AXE else ():
                b.size(width, height, scheme)
                b.found += [f"{view} at {width}, {scheme}: {violation}" for violation in b.axe()]


# Texts that are seen, or read out, and are those of English, other than in German. Of one word in small letters the API has some, too.
ENGLISH = """import('/de.js').then(({default: texts}) => {
  const plain = (s) => s.replaceAll(/[.*+?^${}()|[\\]\\\\]/g, '\\\\$&'), words = (s) => s.replaceAll(/\\{\\d\\}/g, '').match(/[a-z]{2,}/gi) ?? [];
  const keys = Object.entries(texts).filter(([k, forms]) => ![forms].flat().some((f) => f === k) && (k.includes('{1}') ? words(k).length > 2 : /[A-Z ]/.test(k)))
    .map(([k]) => new RegExp(`^${plain(k.trim()).replaceAll(/\\\\\\{\\d\\\\\\}/g, '.+')}$`));
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), seen = [document.title.replace(' · weir', '')];
  while (walk.nextNode()) if (!walk.currentNode.parentElement.closest('script, noscript')) seen.push(walk.currentNode.data);
  for (const e of document.querySelectorAll('body *')) seen.push(...['aria-label', 'title', 'placeholder', 'data-title'].map((a) => e.getAttribute(a) ?? ''));
  return [...new Set(seen.map((s) => s.trim()).filter((s) => keys.some((k) => k.test(s))))];
})"""


def german(b, url, axe=""):
    if axe:
        b.value(pathlib.Path(axe).read_text() + "; true")
    b.size(*SIZES[0], "light")
    b.until("document.documentElement.lang === 'de'")
    b.until("(() => { const e = document.querySelector('header [aria-expanded]'); e?.click(); return !!e?.offsetParent; })()")
    for view in b.views:
        b.view(view)
        b.value("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
        b.found += [f"{view}: English: {text}" for text in b.value(ENGLISH)]
        b.found += [f"{view} in German: wider than the window: {wide}" for wide in [b.value(WIDE)] if wide]
        b.found += [f"{view} in German: {violation}" for violation in (b.axe() if axe else [])]
    b.value("(() => { const s = document.querySelector('footer select'); s.value = 'en'; s.dispatchEvent(new Event('change')); return true; })()")
    b.until("document.querySelectorAll('main .tile, main table').length > 0 && document.documentElement.lang === 'en'")
    if not b.value(ENGLISH):
        b.found.append("the search for English texts finds none in English")


ACTIVE = """(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
  return {what: (e.tagName + ' ' + (e.ariaLabel || e.textContent || e.name || e.placeholder)).slice(0, 60), order: [...document.querySelectorAll('*')].indexOf(e),
    seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && r.right > 0 && r.bottom > 0 && r.left < innerWidth && r.top < innerHeight, body: e === document.body}; })()"""
REACHED = """[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')].filter((e) => !e.disabled && e.checkVisibility()).length"""

BUTTON = "(text) => [...document.querySelectorAll('main button')].find((e) => e.textContent === text)"


# Each control is reached by Tab, in the order of the page, and its focus is seen; an action keeps the focus in its
# view; the skip link leads past the views; Enter opens one.
def keys(b, url):
    b.size(*SIZES[1], "light")
    b.call("Page.navigate", url="about:blank")
    b.call("Page.navigate", url=url + "#/lists")
    b.until("document.querySelectorAll('main form').length === 2 && document.querySelectorAll('main table').length === 2")
    b.key("Tab", 9)
    if not b.value("document.activeElement.classList.contains('skip')"):
        b.found.append("the first Tab does not reach the skip link")
    b.key("Enter", 13, text="\r")
    b.until("document.activeElement.id === 'main'")
    b.value("document.activeElement.blur(); scrollTo(0, 0); document.querySelector('.skip').focus(); true")
    controls, last = b.value(REACHED), -1
    for i in range(controls):
        at = b.value(ACTIVE)
        if at["body"] or at["order"] <= last:
            b.found.append(f"Tab {i} of {controls}: {at['what']} is out of order")
            return
        if not at["seen"]:
            b.found.append(f"the focus of {at['what']} is not seen")
        last = at["order"]
        b.key("Tab", 9)
    for button, then in (("Pause 5 min", "Block again"), ("Block again", "Pause 5 min")):  # the one that is pressed goes away
        b.value(f"({BUTTON})('{button}').focus()")
        b.key("Enter", 13, text="\r")
        b.until(f"!!({BUTTON})('{then}')")
        if not b.value("document.querySelector('main').contains(document.activeElement) && document.activeElement.offsetParent !== null"):
            b.found.append(f"the focus has left the view after {button}")
    b.value("document.querySelector('nav a').focus()")
    b.key("Tab", 9)
    b.key("Enter", 13, text="\r")
    b.until("location.hash === '#/queries' && document.activeElement.id === 'main' && document.querySelector('main h1')?.textContent === 'Queries'")


# A name from the network is text, whatever it looks like.
def hostile(b, url):
    b.value("location.hash = '#/queries'")
    b.until("document.querySelector('main').textContent.includes('<img')")
    if b.value("document.querySelectorAll('main img, main script').length + (window.hacked ? 1 : 0)") != 0:
        b.found.append("a name became markup")


def narrow(b, url):
    b.size(*SIZES[0], "light")


CENTRE = """(() => { const e = document.querySelector(%s), r = e?.getBoundingClientRect(); return e && {x: r.left + r.width / 2, y: r.top + r.height / 2}; })()"""


def centres(b, argument):
    """Those of `SELECTOR to SELECTOR`, brought into sight by the first."""
    selectors = [json.dumps(selector) for selector in argument.split(" to ")]
    b.value(f"document.querySelector({selectors[0]})?.scrollIntoView({{block: 'center'}}); true")
    found = [b.value(CENTRE % selector) for selector in selectors]
    if None not in found:
        return found
    b.found.append(f"not there: {argument}")
    return None


def drag(b, url, argument):
    places = centres(b, argument)
    if places:
        for kind, place in (("mousePressed", places[0]), ("mouseMoved", places[1]), ("mouseReleased", places[1])):
            b.call("Input.dispatchMouseEvent", type=kind, button="left", buttons=int(kind != "mouseReleased"), clickCount=1, **place)


def finger(b, url, argument):
    places = centres(b, argument)
    if places:
        for kind, points in (("touchStart", places[:1]), ("touchMove", places[1:]), ("touchEnd", [])):
            b.call("Input.dispatchTouchEvent", type=kind, touchPoints=list(points))


KEYS = {"Space": (" ", 32), "ArrowLeft": ("ArrowLeft", 37), "ArrowUp": ("ArrowUp", 38), "ArrowRight": ("ArrowRight", 39), "ArrowDown": ("ArrowDown", 40)}


def press(b, url, argument):
    name, code = KEYS[argument.removeprefix("Shift+")]
    b.key(name, code, modifiers=8 if argument.startswith("Shift+") else 0)


def saved(b, url, text):
    end = time.monotonic() + STEP_S
    while not any(text in file.read_text() for file in b.folder.glob("weir*[!d]")):
        if time.monotonic() > end:
            b.found.append(f"no file is saved with {text}: {[f.read_text() for f in b.folder.glob('*')]}")
            return
        time.sleep(0.1)


def main():
    url, user, password, *steps = sys.argv[1:]
    b = Browser()
    try:
        for step in steps:
            if step == "login":
                login(b, url, user, password)
            elif step.startswith("do:"):
                b.until(step[3:])
            elif step.startswith("print:"):
                print(b.value(step[6:]))
            elif step.startswith("speaks:"):
                b.speaks(step[7:])
            elif step.startswith("touch:"):
                pathlib.Path(step[6:]).touch()
            elif step.startswith("only:"):
                b.views = step[5:].split(",")
            elif step.startswith("wide:"):
                b.size(int(step[5:]), 800, "light")
                b.found += [f"wider than the window: {wide}" for wide in [b.value(WIDE)] if wide]
            elif step.startswith("downloads:"):
                b.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=step[10:])
            else:
                word, _, argument = step.partition(":")
                {"views": views, "axe": views, "keys": keys, "german": german, "hostile": hostile, "first": first, "hint": hint, "narrow": narrow, "saved": saved,
                 "drag": drag, "finger": finger, "key": press}[word](b, url, *[argument] * bool(argument))
        b.found += [f"a request to elsewhere: {r}" for r in b.requests if not r.startswith((url, "about:", "data:", f"blob:{url}"))]
    finally:
        b.close()
    print("\n".join(b.found), end="\n" if b.found else "")
    sys.exit(bool(b.found))


if __name__ == "__main__":
    main()
