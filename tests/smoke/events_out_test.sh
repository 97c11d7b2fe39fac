#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Events of the real processes as entries of the journal, messages of syslog over UDP and TCP, and webhooks over TLS: each event
# once, in its order, over a receiver that goes away and comes back, and by a reload without a restart.
. "$(dirname "$0")/_init.sh"

mkdir -p $tmp/got $tmp/hook /run/systemd/journal
receive() { # KIND WHERE
	$python "$smoke_dir/rig/events_receive.py" $tmp/got "$@" 2>>$tmp/receive.log &
}
ready() { grep -qx "$1" $tmp/got/ready; }
receive journal /run/systemd/journal/socket
journal=$!
receive syslog 5514
syslog=$!
coproc HOOK { exec $python "$root/tests/unit/https_server.py" $tmp/hook; }
read -r hook_port <&${HOOK[0]}
hook="https://127.0.0.1:$hook_port"
hooked() { grep -E "$1" $tmp/hook/requests; } # PATTERN of a line: METHOD PATH PORT BODY
entry() { jq -es "any(.[]; $1)" $tmp/got/journal; }
output() { weirctl --json status | jq -r ".controlplane.event_outputs[]? // .event_outputs[]? | select(.name == \"$1\") | .$2"; }
is() { [ "$(output "$1" "$2")" = "$3" ]; }

must "up" "$lab" up --offline
check "the receivers listen" eventually eval 'ready journal && ready syslog'
"$lab" stop controlplane >/dev/null
cp $config $tmp/plain.yaml
cat >>$config <<-END
	events:
	  journal: on
	  syslog: 127.0.0.1:5514
	  webhooks:
	  - {url: '$hook/all?secret', ca_file: $tmp/hook/ca.pem}
	  - {url: '$hook/bad', form: discord, severity: warning, kinds: [config_refused, alarm_raised], ca_file: $tmp/hook/ca.pem}
	  - {url: '$hook/untrusted', ca_file: $tmp/hook/other.pem}
END
check "up with outputs" "$lab" start controlplane
check "the start is an entry of the journal" eventually entry '.WEIR_EVENT == "process_started" and .PRIORITY == "6" and
	.SYSLOG_IDENTIFIER == "weir-events" and .WEIR_PROCESS == "controlplane" and (.MESSAGE | startswith("the control plane serves"))'
check "a message of syslog" eventually grep -Eq '^<30>1 [0-9-]{10}T[0-9:.]{12}Z [^ ]+ weir [0-9]+ process_started \[event@32473 number="[0-9]+" severity="info" process="controlplane" version="[^"]+" incarnation="[0-9a-f]{16}"\] the control plane serves' $tmp/got/udp
check "and in a webhook's message" eventually hooked '^POST /all.*"kind": *"events".*"kind": *"process_started"'
check "who is not trusted is an alarm" eventually eval 'weirctl --json ready | jq -e "any(.reasons[]; .id == \"event_output\" and .about == \"webhooks\")"'

echo 'nonsense: 1' >>$config
check "a file is refused" eval '! weirctl config reload'
check "which is an error of the journal, with its reason" eventually entry \
	'.WEIR_EVENT == "config_refused" and .PRIORITY == "3" and (.WEIR_WHY | contains("nonsense"))'
check "of syslog" eventually grep -Eq '^<27>1 .* config_refused \[event@32473 .*severity="error" .*nonsense' $tmp/got/udp
check "and of a webhook for errors" eventually hooked '^POST /bad.*"content": *".*error config_refused: `.*nonsense'
check "which gets no others" eval '! hooked "^POST /bad.*process_started"'
sed -i '$d' $config

kill $journal $syslog
wait $journal $syslog 2>/dev/null
check "a reload" weirctl config reload
check "neither receiver gets it" eventually eval 'is journal state failing && is syslog state failing'
check "as the status says" eval 'weirctl status | grep -Eq "^events +journal failing, next try in .*refused"'
check "which is in the metrics" eval 'weirctl metrics | grep -q "^weir_event_output_failing{output=\"journal\"} 1"'
rm $tmp/got/ready
receive journal /run/systemd/journal/socket
receive syslog 5514
check "both get it once they are back" eventually eval 'entry ".WEIR_EVENT == \"config_reloaded\"" && grep -q " config_reloaded " $tmp/got/udp'
check "and are up" eventually eval 'is journal state up && is syslog state up'
numbers=$(jq -r .WEIR_EVENT_NUMBER $tmp/got/journal)
same "the journal has each event once, in its order" "$(sort -nu <<<"$numbers")" "$numbers"

sed -i 's/syslog: 127.0.0.1:5514/syslog: 127.0.0.1:5514\n  syslog_transport: tcp/; /untrusted/d; s/journal: on/journal: off/' $config
check "syslog over TCP from a reload on" weirctl config reload
check "gets events" eventually grep -q ' config_reloaded ' $tmp/got/tcp
check "the alarm is over" eventually grep -q ' alarm_over .*event_output webhooks' $tmp/got/tcp
check "over a connection that the server has closed" eval '[ "$(grep -c . $tmp/got/tcp)" -ge 2 ]'
lines=$(wc -l <$tmp/got/journal)
check "the journal is off, without a restart" weirctl config reload
check "as is seen when another has got an event" eventually eval '[ "$(grep -c " config_reloaded " $tmp/got/tcp)" -ge 2 ]'
same "it has no more" "$lines" "$(wc -l <$tmp/got/journal)"
same "the outputs' descriptors are in the tables" 1 "$(weirctl --json mem tables | jq '.tables[] | select(.name == "event_outputs") | .descriptors')"
same "a secret of a URL is in no log and no status" "" "$(grep -l 'secret' /run/weir/lab/*.log; weirctl --json status | grep secret)"
same "who is not trusted got nothing" "" "$(hooked ' /untrusted')"
finish
