# SPDX-License-Identifier: BSD-3-Clause
"""One connection to the control API that shows a client's certificate, before and after the authorities change.

usage: kept_connection.py DIR SECONDS     prints the statuses that its requests got, each once; but no 504, which is a request that
was under way when the test put weir's clock ahead
"""
import http.client
import ssl
import sys
import time

folder, seconds = sys.argv[1], float(sys.argv[2])
tls = ssl.create_default_context(cafile=f"{folder}/ca.pem")
tls.load_cert_chain(f"{folder}/ops.pem", f"{folder}/ops.key")
conn = http.client.HTTPSConnection("127.0.0.1", 9953, context=tls, timeout=10)
conn.auto_open = 1
statuses = []
end = time.monotonic() + seconds
while time.monotonic() < end and (not statuses or statuses[-1] == 200):
    conn.request("GET", "/v1/upstreams")
    conn.auto_open = 0  # this one connection
    reply = conn.getresponse()
    reply.read()
    if reply.status != 504 and (not statuses or reply.status != statuses[-1]):
        statuses.append(reply.status)
        print(reply.status, flush=True)
    time.sleep(0.2)
print("closed" if conn.sock is None else "open")
