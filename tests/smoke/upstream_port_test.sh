#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Upstreams through the port: a real server in the client namespace, killed and started again; its MAC changed, its route
# moved, the data plane stopped and killed. Whatever happens, what a socket would have had answered is answered.
# usage: upstream_port_test.sh [--memif|--xdp]    another port than a TAP
. "$(dirname "$0")/_init.sh"
how=${1-}
mount -t bpf bpf /sys/fs/bpf 2>/dev/null

must "up" "$lab" up --upstream-by-port "$@"
server=198.18.0.2
of() { weirctl --json upstreams | jq -r ".upstreams[] | select(.address == \"$server:53\") | .$1"; } # of FIELD
is() { [ "$(of "$1")" = "$2" ]; }
resolver() { weirctl --json stats --interval 0 | jq ".controlplane.resolver.upstream_$1"; }
# asked N: that many new names, one after the other; how many are answered at the first try within 4 s
asked() {
	local i good=0
	for ((i = 0; i < $1; i++)); do
		[ "$(client kdig +short +timeout=4 +retry=0 @$service n$(date +%s%N).wild.lab.example A)" = 198.18.255.99 ] && good=$((good + 1))
	done
	echo $good
}
# DNS that the kernel sends and receives by weir0: a line a packet.
cat >$tmp/kernel.py <<'PYTHON'
import socket
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
sock.bind(("weir0", 3))
print("listening", flush=True)
while True:
    try:
        packet = sock.recv(2048)
    except OSError:  # the interface went with its data plane
        continue
    if len(packet) > 28 and packet[0] == 0x45 and packet[9] == 17:
        ports = {int.from_bytes(packet[20:22], "big"), int.from_bytes(packet[22:24], "big")}
        if 53 in ports:
            print(packet[12:20].hex(), flush=True)
PYTHON
# A new name each 20 ms until SIGTERM, 50 at least, each from a port of its own, asked once and waited for up to 10 s: how many were
# asked, answered, and answered with the address. What a socket would have had answered is lost where the last two differ from the
# first. At SIGUSR1 the client gets the MAC given: answers in flight go to its old one, as those of a kernel socket would, and the
# last number says how many there can be.
cat >$tmp/asks.py <<'PYTHON'
import selectors, signal, socket, struct, subprocess, sys, time
stopped, moves, answers, wait = [], [], selectors.DefaultSelector(), {}
asked = answered = right = flight = 0
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
signal.signal(signal.SIGUSR1, lambda *_: moves.append(1))
print("asking", flush=True)
due = time.monotonic()
while wait or not stopped or asked < 50:
    if moves:
        moves.clear()
        subprocess.run(["ip", "link", "set", "wt0", "address", sys.argv[2]], check=True)
        flight = len(wait)
    now = time.monotonic()
    if (not stopped or asked < 50) and now >= due:
        due, asked = due + 0.02, asked + 1
        labels = [f"a{asked}-{time.time_ns()}", "wild", "lab", "example"]
        name = b"".join(bytes([len(label)]) + label.encode() for label in labels)
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.sendto(struct.pack("!6H", asked & 65535, 0x100, 1, 0, 0, 0) + name + b"\0\0\1\0\1", (sys.argv[1], 53))
        answers.register(sock, selectors.EVENT_READ)
        wait[sock] = now + 10
    ended = [key.fileobj for key, _ in answers.select(0.005)]
    for sock in ended:
        reply = sock.recv(2048)
        answered, right = answered + 1, right + (reply[3] & 15 == 0 and reply.endswith(bytes([198, 18, 255, 99])))
    for sock in ended + [sock for sock, end in wait.items() if end < now and sock not in ended]:
        answers.unregister(sock)
        sock.close()
        del wait[sock]
print(asked, answered, right, flight)
PYTHON
mac=02:00:c6:12:00:77
asks() {
	: >$tmp/asks.log
	client $python $tmp/asks.py $service $mac >$tmp/asks.log &
	asking=$!
	eventually grep -q asking $tmp/asks.log
}
asks_signal() { pkill -"$1" -P $asking -f asks.py 2>/dev/null || kill -"$1" $asking; }
# asks_end: $asked, $answered, $right, $flight
asks_end() {
	sleep 1
	asks_signal TERM
	wait $asking
	read -r asked answered right flight < <(tail -n 1 $tmp/asks.log)
}
none_lost() { # but for those in flight when the MAC changed
	asks_end && [ "$asked" -ge 50 ] && [ $((asked - right)) -le "$flight" ] && return
	echo "$asked asked, $answered answered, $right right, $flight in flight"
	return 1
}
kernel_dns() { grep -c -v listening $tmp/kernel.log; }
# A worker that a busy machine stops is one that hangs: a socket sends its queries again. Where it is weir's fault, each turn has some.
by_workers() { # by_workers N: names; no socket is opened, the kernel carries nothing, each reply comes to its own resolver's query
	local opened sent strays kernel
	opened=$(resolver sockets_opened) sent=$(resolver port_sent) strays=$(resolver port_strays) kernel=$(kernel_dns)
	[ "$(asked "$1")" = "$1" ] && [ "$opened" = "$(resolver sockets_opened)" ] && [ "$strays" = "$(resolver port_strays)" ] &&
		[ $(($(resolver port_sent) - sent)) -ge "$1" ] && [ "$kernel" = "$(kernel_dns)" ]
}

check "weir asks the server through the port" eventually is via port
$python $tmp/kernel.py >$tmp/kernel.log &
eventually grep -q listening $tmp/kernel.log
check "30 names are resolved by workers alone, without a socket" eventually by_workers 30
same "a long answer comes over TCP, by the kernel" 1 "$(client kdig +tcp +short +timeout=5 @$service big.lab.example TXT | wc -l)"
check "for a person too" grep -qE "$server:53 +up +port" <<<"$(weirctl upstreams)"
tested() { local kernel=$(kernel_dns) && weirctl upstream test $server && [ "$kernel" = "$(kernel_dns)" ]; }
check "test: by UDP and TCP, and what is UDP by the port" eventually tested

# The kernel has a packet of its own first where it does not know the server's hardware address yet.
via6() { weirctl --json upstreams | jq -r '.upstreams[] | select(.address == "[fd53::2]:53") | .via'; }
by_port6() { [ "$(via6)" = port ]; }
check "IPv6: the other server" weirctl upstream drain $server
same "names are resolved" 5 "$(asked 5)"
check "its way is the port" eventually by_port6
check "names are resolved through the port" eventually by_workers 5
check "and back" weirctl upstream undrain $server

# AF_XDP: what the kernel's own sockets asked is theirs, from a port of weir's range too.
if [ "$how" = --xdp ]; then
	same "a program of this machine has its reply" 198.18.255.80 "$(kdig +short +timeout=5 @$server -b $service#20011 www.lab.example A)"
	check "every frame has one verdict" verdicts_add_up
fi

# Both are the same program, so no question has an answer now. SERVFAIL comes 4.5 s after the question; where this machine
# is busy with other tests weir may come to it only after another 0.5 s, sends nothing, and counts that.
late() { weirctl --json stats --interval 0 | jq .controlplane.resolver.late; }
before=$(late)
asks
check "the server is killed" "$lab" kill authority
asked 2 >/dev/null 2>&1
check "ICMP says so" test "$(resolver port_unreachable)" -ge 1
check "it is started again" "$lab" start authority
check "it is found" eventually is state up
asks_end
late=$(($(late) - before))
[ $((answered + late)) = "$asked" ] || weirctl stats # which verdicts the others have
same "each of $asked questions meanwhile has an answer, but for $late that weir was late for" $((asked - late)) "$answered"
if judges_speed; then
	check "and these are few" test $((late * 20)) -le "$asked"
fi
same "names are resolved" 5 "$(asked 5)"

# Another machine gets the address, and says so (as the first packet of the client does).
asks
asks_signal USR1
has_mac() { client ip link show wt0 | grep -q $mac; }
check "its MAC changes" eventually has_mac
check "the client says so" client ping -c 1 -W 5 $service
client ping -c 1 -W 5 $service6 >/dev/null
neighbour() { ip neigh show $server dev weir0 | grep -q $mac; }
check "the kernel has heard it" eventually neighbour
sends_again() { # beside others' questions
	local before=$(resolver port_sent)
	[ "$(asked 5)" = 5 ] && [ $(($(resolver port_sent) - before)) -ge 5 ]
}
check "names are resolved through the port" eventually sends_again
check "no question was lost but what was in flight" none_lost

# Another way to the server, which the kernel alone has.
ip link add up0 type veth peer name up1 netns weir-client
ip addr add 198.18.250.1/30 dev up0
ip link set up0 up
client ip addr add 198.18.250.2/30 dev up1
client ip link set up1 up
client ip addr add $server/32 dev lo
asks
check "its route moves" ip route add $server/32 via 198.18.250.2
check "followed" eventually is via kernel
check "and said" grep -q "interface of weir's ports" <<<"$(of via_kernel_why)"
weirctl upstream drain fd53::2 >/dev/null
by_sockets() { # new ones, or some that the questions beside have opened
	local sent=$(resolver port_sent)
	[ "$(asked 5)" = 5 ] && [ "$sent" = "$(resolver port_sent)" ]
}
check "names are resolved by sockets" eventually by_sockets
check "it moves back" ip route del $server/32
check "followed" eventually is via port
check "no question was lost" none_lost
same "names are resolved" 5 "$(asked 5)"

# A data plane that hangs with the query: a socket sends it again, on the way that there is by then.
# Beside AF_XDP the kernel has the way all the time.
moves() { [ "$how" = --xdp ] || ip route "$1" $server/32 via 198.18.250.2; }
hangs() { # again with another name, where a busy machine takes more of the question's time
	local dead=$(resolver port_dead) mover got rc
	stop "$(pid dataplane)"
	(sleep 0.2; moves add) &
	mover=$!
	got=$(kdig +tcp +short +timeout=8 +retry=0 @$service stopped-$RANDOM.wild.lab.example A)
	[ "$got" = 198.18.255.99 ] && [ "$(resolver port_dead)" -gt "$dead" ]
	rc=$?
	kill -CONT "$(pid dataplane)"
	wait $mover
	moves del
	eventually is via port
	return $rc
}
check "the question is answered, by a socket, and then through the port again" eventually hangs
check "the data plane is killed" "$lab" kill dataplane
check "and started again" "$lab" start dataplane
check "through the port again" eventually is via port
check "names are resolved through it" eventually by_workers 5

# Two resolvers: the reply to a port comes to the one that asked from it.
check "the control plane stops" "$lab" stop controlplane
sed -i 's/resolvers: 1/resolvers: 2/' $config
check "and starts with two resolvers" "$lab" start controlplane
check "through the port again" eventually is via port
# One resolver may have its worker before the other has. Where a reply came to the wrong one, half of them would in each turn.
check "30 names are resolved through the port, without a socket, each reply at its own resolver" eventually by_workers 30

sed 's/^upstreams:/upstreams:\n  via: kernel/' $config >$tmp/kernel.yaml
cp $tmp/kernel.yaml $config
check "via: kernel, by a reload" weirctl config reload
same "at once" kernel "$(of via)"
before=$(resolver port_sent)
same "names are resolved" 5 "$(asked 5)"
same "by sockets" "$before" "$(resolver port_sent)"
audit_check
check "down" "$lab" down
same "nothing is left" '' "$(ls -d /run/weir /run/weir-* 2>/dev/null; ip netns list)"
none_left() { ! pgrep -lx 'weir-.*|nsd'; }
check "nor a process" eventually none_left
finish
