#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What `--json` of commands prints: JSON, with the keys that docs/reference/json.md has; and no secret stands in that, in what
# they print without it, in logs, metrics and the audit log. JSON_TO=FOLDER: keeps it there, for
# tools/docs/json_md.py.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

must "up" "$lab" up --offline
secret=ZqHidden cookie=5ec2e7005ec2e7015ec2e7025ec2e703
echo $secret-file >$tmp/password
base64 <<<$secret-tsig-key-of-32-bytes-or-more >$tmp/tsig
cat >>/run/weir/lab/weir.yaml <<CONFIG
groups: [{name: kids, clients: [198.18.0.8]}]
redis: {addresses: ["127.0.0.1:1"], password: $secret-redis}
cookies: {secrets: [$cookie]}
query_log:
  clickhouse: {url: "http://127.0.0.1:1", user: weir, password_file: $tmp/password}
  webhooks: [{url: "https://127.0.0.1:1/$secret-hook", on_block: true}]
events: {webhooks: [{url: "https://127.0.0.1:1/$secret-events"}]}
CONFIG
sed -i "s/^blocking:.*/&\n  tsig_keys: [{name: key.test, algorithm: hmac-sha256, secret_file: $(sed 's/[/]/\\&/g' <<<$tmp)\/tsig}]/" /run/weir/lab/weir.yaml
check "a group, and secrets" weirctl config reload
echo more.example >/run/smoke/more.list
client kdig +timeout=3 +retry=3 @$service www.lab.example A >/dev/null
client kdig +timeout=3 +retry=3 @$service blocked.lab.example A >/dev/null
client kdig +tcp +timeout=3 +retry=3 @$service other.lab.example A >/dev/null
logged() { [ "$(weirctl --json top | jq '.names.items | length')" -ge 3 ]; }
check "its query log has queries" eventually logged
mkdir $tmp/json $tmp/text
check "a snapshot" weirctl mem snapshot before
while IFS='|' read -r command rest; do # what follows the bar is not a part of its name
	# shellcheck disable=SC2086
	weirctl --json $command $rest >"$tmp/json/$command" 2>$tmp/said
	weirctl $command $rest >"$tmp/text/$command" 2>&1
	check "weirctl --json $command" jq -es 'length > 0 and all(type == "object" and keys != ["error"])' "$tmp/json/$command"
done <<'COMMANDS'
allow|good.example --for 1h --why tests
deny|bad.example
local add|new.example A 192.0.2.1
local remove|new.example
group add|198.18.0.9 kids
list add|more /run/smoke/more.list
list disable|more
list add|private http://user:ZqHidden-user@127.0.0.1:1/list?token=ZqHidden-token
token create|reader --role read --expires 30d
drops add|198.18.0.77 5
audit
blocklist status
cache stats
clients
clients names
config check
config diff
config history
config show
connections
drops list
entries
errors
events
groups
list show
log search
log status
mem accounts
mem alarms
mem diff|before
mem files
mem kinds
mem plan
mem regions
mem sites
mem tables
mem slope
mem history
pending
ports
ready
ready --for human
refresh stats
services
stats
status
tcp
threads
token list
password list
heap status
nic status
toggles
top
top --since|1h
top --since 1h --client|198.18.0.1
upstreams
wait|generations
upstream test|127.0.0.1:5400
why|www.lab.example
cache get|www.lab.example
cache flush|www.lab.example
doctor
COMMANDS
token=$(jq -r .token "$tmp/json/token create")
rm "$tmp/json/token create" "$tmp/text/token create" # which print the token, once
weirctl metrics >$tmp/text/metrics
same "no secret stands in what was printed, nor in logs" "" \
	"$(grep -rlE "$secret|$cookie|$token|$(head -c 24 $tmp/tsig)" $tmp/json $tmp/text /run/weir/lab/*.log /run/weir/lab/state/audit* 2>&1)"
[ -z "${JSON_TO-}" ] || cp -rT $tmp/json "$JSON_TO"
check "the page has these keys" $python "$root/tools/docs/json_md.py" "$root" $tmp/json --check
finish
