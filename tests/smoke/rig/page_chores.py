#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Does the daily chores on the page as a person would: page_chores.py URL USER PASSWORD FOLDER WIDTH HEIGHT

Presses with a mouse, or with a finger in a window below 640 px, at the place where a control is seen. Each chore begins at Now. Its effect is
looked up by weirctl, by a query or in a file. Prints a row of a table for each, and keeps FOLDER/CHORE-WIDTH.png of what is seen at its end.
Status 1 if an effect is missing, a control is covered, or a chore takes more presses or time than its bound.

A press: a click or a tap; a select takes two (open it, choose), so does the choice of a file. A field: the cursor put into it, and what is typed or
pasted; Enter counts with its field. Before each the person waits PAUSE_S, and types a character in KEY_S.
"""
import base64
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tarfile
import time

import page_browser

PAUSE_S, KEY_S, EFFECT_S, NARROW = 1.5, 0.2, 20, 640
ENV = os.environ
LAB = pathlib.Path("/run/weir/lab")
TABLET, CONSOLE, LAPTOP = "198.18.0.21", "198.18.0.22", "198.18.0.11"
MONTH_S = 30 * 86400

# The first control that is seen and is called so, in the row or section that has the text `where`.
FIND = """((selector, called, where) => [...document.querySelectorAll(selector)].find((e) => {
  const box = e.closest('main tr') ?? e.closest('section, header') ?? document.body;
  return e.checkVisibility() && (e.matches('label') ? e.firstChild.textContent : e.textContent).trim() === called
    && (!where || box.ariaLabel === where || box.textContent.includes(where));
}))(%s, %s, %s)"""
# Where to press it; {covered: what lies over it}.
PLACE = """(() => {
  const found = %s, e = found?.matches('label') ? found.lastElementChild : found;
  if (!e || e.disabled) return null;
  const was = e.getBoundingClientRect(), isSeen = was.top >= 0 && was.bottom <= innerHeight;
  if (!isSeen) e.scrollIntoView({block: 'center'});
  const r = e.getBoundingClientRect(), x = r.left + Math.min(r.width / 2, 60), y = r.top + r.height / 2, top = document.elementFromPoint(x, y);
  return {x, y, isSeen, covered: e === top || e.contains(top) ? '' : `${top?.tagName} ${top?.textContent.slice(0, 40)}`};
})()"""


class Person(page_browser.Browser):
    def __init__(self, width, height):
        self.answer, self.file = "", ""
        super().__init__()
        self.is_narrow = width < NARROW
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=self.is_narrow)
        self.call("Emulation.setTouchEmulationEnabled", enabled=self.is_narrow)
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
        self.call("Page.setInterceptFileChooserDialog", enabled=True)
        self.count()

    def count(self):
        self.presses = self.fields = self.scrolls = 0
        self.began = time.monotonic()

    def send(self, method, **params):
        """Without a wait for the reply."""
        self.id += 1
        self.socket.send(json.dumps({"id": self.id, "method": method, "params": params}))

    def note(self, message):
        p = message.get("params", {})
        if message.get("method") == "Page.javascriptDialogOpening":
            time.sleep(PAUSE_S)
            if p["type"] == "prompt":
                self.fields += 1
                time.sleep(KEY_S * len(self.answer))
            else:
                self.presses += 1
            self.send("Page.handleJavaScriptDialog", accept=True, promptText=self.answer)
        elif message.get("method") == "Page.fileChooserOpened":
            time.sleep(PAUSE_S)
            self.presses += 1
            self.send("DOM.setFileInputFiles", files=[str(self.file)], backendNodeId=p["backendNodeId"])
        else:
            super().note(message)

    def at(self, selector, called, where):
        """Where the control is, once the person has found it."""
        time.sleep(PAUSE_S)
        end = time.monotonic() + page_browser.STEP_S
        while not (place := self.value(PLACE % (FIND % (json.dumps(selector), json.dumps(called), json.dumps(where))))):
            if time.monotonic() > end:
                raise RuntimeError(f"no {called} {where} is seen")
            time.sleep(0.1)
        if place["covered"]:
            self.found.append(f"{called} {where}: covered by {place['covered']}")
        self.scrolls += not place["isSeen"]
        return {"x": place["x"], "y": place["y"]}

    def hit(self, place):
        if self.is_narrow:
            self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[place])
            self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, button="none" if kind == "mouseMoved" else "left", clickCount=1, **place)

    def press(self, called, where="", answer=""):
        self.answer = answer
        place = self.at("a, button, summary", called, where)
        self.presses += 1
        self.hit(place)

    def open(self, label):
        """The choice of a file."""
        place = self.at("label", label, "")
        self.presses += 1
        self.hit(place)

    def keys(self, text):
        for c in text:
            self.key(c, 0, text=c)
            time.sleep(KEY_S)

    def type(self, label, text, where="", enter=False, paste=False):
        place = self.at("label", label, where)
        self.fields += 1
        self.hit(place)
        self.call("Input.dispatchKeyEvent", type="keyDown", key="a", commands=["selectAll"])
        if paste:
            self.call("Input.insertText", text=text)
        else:
            self.keys(text)
        if enter:
            self.key("Enter", 13, text="\r")

    def choose(self, label, option, where=""):
        place = self.at("label", label, where)
        self.presses += 2
        self.hit(place)
        time.sleep(PAUSE_S)
        self.keys(option)
        self.key("Enter", 13, text="\r")
        now = self.value(f"{FIND % (json.dumps('label'), json.dumps(label), json.dumps(where))}.lastElementChild.selectedOptions[0].textContent")
        if now != option:
            raise RuntimeError(f"{label}: {now} is chosen, not {option}")

    def sees(self, text):
        end = time.monotonic() + page_browser.STEP_S
        while not self.value(f"document.body.innerText.includes({json.dumps(text)})"):
            if time.monotonic() > end:
                raise RuntimeError(f"the page does not say: {text}")
            time.sleep(0.1)

    def picture(self, file):
        time.sleep(0.5)
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


def weirctl(*words):
    r = subprocess.run([f"{ENV['WEIR_BUILD']}/tools/ctl/weirctl", "-c", str(LAB / "weir.yaml"), "--json", *words], capture_output=True, text=True, check=True)
    return json.loads(r.stdout or "null")


def asks(client, name, rdtype="A"):
    """What the device gets: an rcode other than NOERROR, or the data."""
    r = subprocess.run(["nsenter", "--net=/run/netns/weir-client", "--", "kdig", "+timeout=5", "+retry=2", "-b", client, "@198.18.0.53", name, rdtype], capture_output=True, text=True).stdout
    rcode = r.split("status: ")[1].split(";")[0]
    return rcode if rcode != "NOERROR" else [line.split()[-1] for line in r.splitlines() if line and line[0] not in ";"]


def effect(text, is_so):
    end = time.monotonic() + EFFECT_S
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError(f"no effect: {text}")
        time.sleep(0.3)


def blocked(name, client=TABLET):
    return asks(client, name) == "NXDOMAIN"


def resolves(name, client=TABLET):
    return isinstance(asks(client, name), list)


def version():
    return weirctl("config", "history")["version"]


# The chores. Each gives what it has shown.
def why_and_allow(p):
    asks(TABLET, "pixel.shop.example")
    p.count()
    p.press("Queries")
    p.sees("blocked (blocked.list)")
    p.press("Allow", "pixel.shop.example")
    p.sees("What decides for 198.18.0.21")
    effect("allowed", lambda: resolves("pixel.shop.example"))
    return "a query resolves"


def pause_and_resume(p):
    p.press("Pause", "Blocking.")
    p.press("Pause 5 min")
    p.sees("Paused for everyone")
    presses = p.presses
    effect("paused", lambda: resolves("blocked.test"))
    before = p.value("document.querySelector('[role=timer]').textContent")
    effect("a countdown", lambda: p.value("document.querySelector('[role=timer]').textContent") < before)
    p.press("Block again", "Paused for everyone")
    p.sees("Blocking goes on.")
    effect("blocked again", lambda: blocked("blocked.test"))
    return f"{presses} to pause; a query resolves, and is blocked again"


def add_a_list(p):
    p.press("Lists")
    p.type("New lists: a URL or path a line, with a name before it if you like", "http://127.0.0.1:8099/more.txt", paste=True)
    p.press("Add lists")
    p.sees("more.txt is added.")
    effect("the list blocks", lambda: blocked("only-in.more.example"))
    effect("its row says so", lambda: p.value("[...document.querySelectorAll('main tr')].some((r) => /more.txt[^]*in force/.test(r.textContent))"))
    return "a query is blocked"


def name_a_device(p):
    p.press("Clients")
    p.press("Name", LAPTOP, answer="anna-laptop")
    p.sees("anna-laptop")
    effect("a name", lambda: any(c["client_name"] == "anna-laptop" and c["address"] == LAPTOP for c in weirctl("clients")["clients"]))
    return "`weirctl clients`"


def kids_group(p):
    p.press("Groups")
    p.type("New group: its name", "kids")
    p.type("Its clients", f"{TABLET}, {CONSOLE}")
    p.press("Make group")
    p.press("Change kids", "Group kids")
    for service in ("tiktok", "discord"):
        p.choose("Service", service, "Group kids")
        p.press("Block service", "Group kids")
        p.sees(f"{service} is blocked for kids.")
    p.press("Safe search on", "Group kids")
    p.sees("Safe search is on for kids.")
    effect("services", lambda: blocked("www.tiktok.com") and blocked("discord.com", CONSOLE) and resolves("www.tiktok.com", LAPTOP))
    effect("safe search", lambda: any("forcesafesearch" in d for d in asks(TABLET, "www.google.com")))
    p.press("Set schedule", "Group kids")
    p.sees("bedtime is set.")
    bed, = next(g for g in weirctl("groups")["groups"] if g["name"] == "kids")["schedules"]
    assert (bed["from"], bed["to"], bed["block_all"]) == ("21:00", "07:00", True)
    effect("bedtime", lambda: blocked("www.example.com") == bed["active"])  # by the hour of the run
    return "queries of two devices, `weirctl groups`"


def block_a_name(p):
    p.type("Name", "casino.example", enter=True)
    p.press("Block", "About casino.example")
    p.sees("casino.example is blocked for everyone for good.")
    effect("blocked", lambda: blocked("casino.example"))
    return "a query is blocked"


def undo(p):
    now = version()
    before = next(v["before"] for v in weirctl("config", "history")["versions"] if v["number"] == now)
    weirctl("deny", "mistake.example")
    effect("a change", lambda: blocked("mistake.example", LAPTOP))
    assert before and version() == now + 1
    p.count()
    p.press("Configuration")
    p.press("Go back to it", f"{now}")
    p.sees(f"Version {now} is in force again.")
    effect("undone", lambda: resolves("mistake.example", LAPTOP))
    return "a query resolves again"


def upstream_over_tls(p):
    p.press("Settings")
    p.press("Test", "Use only these")
    p.sees("TLS: NOERROR in")
    p.press("Use only these")
    p.sees("weir asks only quad9 over TLS.")
    name = f"fresh{time.monotonic_ns()}.example"
    effect("over TLS", lambda: asks(LAPTOP, name) == ["192.0.2.81"] and all(u["via"] == "tls" for u in weirctl("upstreams")["upstreams"]))
    return "a query, `weirctl upstreams`"


def last_month(p):
    p.press("Top")
    p.press("the last 30 days")
    p.sees("Blocked names of")
    since = (time.time() - MONTH_S) * 1e6
    total = sum(sqlite3.connect(f"file:{f}?mode=ro", uri=True).execute("SELECT total(weight) FROM rows WHERE time + (SELECT middle_us FROM file) >= ?", (since,)).fetchone()[0]
                for f in (LAB / "state/log").glob("*.sqlite"))
    shown = p.value("+[...document.querySelectorAll('main caption')].find((e) => /^Names of/.test(e.textContent)).textContent.replaceAll(/\\D/g, '')")
    effect(f"{shown} queries of {total}", lambda: abs(shown - total) < total / 1000)  # the month goes on
    return f"{shown:,} queries, as in the files of the query store"


def device_asked(p):
    asks(CONSOLE, "updates.console.example")
    time.sleep(2)
    p.count()
    p.press("Clients")
    p.press(CONSOLE)
    p.sees("updates.console.example")
    return "the name that it asked"


def back_up(p):
    p.press("This box")
    p.press("Download backup")
    p.sees("The backup is saved")
    effect("a file", lambda: list(p.folder.glob("*.tar")))
    p.file, = p.folder.glob("*.tar")
    with tarfile.open(p.file) as tar:
        names = tar.getnames()
        assert "weir-backup" in names and "config/weir.yaml" in names and b"anna-laptop" in tar.extractfile("state/config/managed.yaml").read()
    return "the archive has the device's name"


def restore(p):
    weirctl("deny", "late.example")
    effect("a change", lambda: blocked("late.example", LAPTOP))
    p.count()
    p.press("This box")
    p.open("Restore from a backup")
    p.press("Restore", "Backup")
    p.sees("is restored as one version")
    effect("restored", lambda: resolves("late.example", LAPTOP) and any(c["client_name"] == "anna-laptop" for c in weirctl("clients")["clients"]))
    p.file.unlink()
    return "a query resolves again, `weirctl clients`"


# What it is called, the most presses and seconds.
CHORES = [(why_and_allow, "see why a name is blocked, and allow it", 2, 0), (pause_and_resume, "pause, and resume", 3, 0), (add_a_list, "add a list", 2, 0),
          (name_a_device, "name a device", 2, 0), (kids_group, "a kids' group with two services, safe search and bedtime", 0, 60), (block_a_name, "block a name", 2, 0),
          (undo, "undo the last change", 3, 0), (device_asked, "see what a device asked", 2, 0), (last_month, "last month", 2, 0), (back_up, "back up", 2, 0),
          (restore, "restore", 4, 0), (upstream_over_tls, "upstream to TLS, with a test", 4, 0)]


def main():
    url, user, password, folder, width, height = sys.argv[1:7]
    folder, failed = pathlib.Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    p = Person(int(width), int(height))
    try:
        page_browser.login(p, url, user, password)
        for does, title, most, most_s in CHORES:
            if sys.argv[7:] and does.__name__ not in sys.argv[7:]:
                continue
            p.view("now")
            p.count()
            try:
                shown = does(p)
            except (RuntimeError, AssertionError, StopIteration, ValueError, subprocess.CalledProcessError) as e:
                shown = f"FAILED: {e!r}"
                failed.append(title)
            took = time.monotonic() - p.began
            over = (most and p.presses > most) or (most_s and took > most_s)
            failed += [f"{title}: over its bound"] * bool(over)
            bound = f"{most} presses" if most else f"{most_s} s"
            print(f"| {title} | {bound}{' (exceeded)' if over else ''} | {p.presses} | {p.fields} | {p.scrolls} | {took:.0f} s | {shown} |", flush=True)
            p.picture(folder / f"{does.__name__}-{width}.png")
        p.found += [f"a request to elsewhere: {r}" for r in p.requests if not r.startswith((url, "about:", "data:", f"blob:{url}"))]
    finally:
        p.close()
    print("\n".join(p.found + failed), end="\n" if p.found + failed else "")
    sys.exit(bool(p.found + failed))


main()
