#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The control API over HTTPS: tokens, roles, certificates, the lock-out and the audit log of the real control plane; an adversary
# (rig/control_adversary.py) that tries every endpoint of docs/reference/openapi.json, odd paths and requests, slow and many
# connections, while DNS is answered; weirctl --host.
. "$(dirname "$0")/_init.sh"

lab_up
dir=/run/weir/lab/control
state=$(state_directory)
mkdir $dir
. "$smoke_dir/certificates.sh"
{ authority ca && certificate server ca IP:127.0.0.1,DNS:box.example && certificate other ca IP:127.0.0.1 && authority clients &&
	certificate ops clients DNS:ops.example && certificate nobody clients DNS:nobody.example; } 2>/dev/null
cat >>$config <<END
control:
  listen: [127.0.0.1, "[::1]:9953"]
  allow: [127.0.0.0/9, "::1"]
  certificates: [{cert: $dir/server.pem, key: $dir/server.key}]
  client_ca: $dir/clients.pem
  clients: [{name: ops.example, role: operate}]
END
check "the file is good" weirctl config check
sed "s|$dir/server.pem|$dir/nowhere.pem|" $config >$tmp/nowhere.yaml
check "a certificate that is not there is an error" eval '! weirctl config check $tmp/nowhere.yaml >$tmp/said 2>&1 &&
	grep -q "control.certificates\[0\].cert: $dir/nowhere.pem: No such file" $tmp/said'
cp $config $tmp/good.yaml
cp $tmp/nowhere.yaml $config
for how in "apply --dry-run" apply reload; do
	check "and refuses config $how" eval '! weirctl config $how >$tmp/said 2>&1 &&
		grep -q "control.certificates\[0\]: $dir/nowhere.pem: no such file ($config:[0-9]*:[0-9]*)" $tmp/said'
done
cp $tmp/good.yaml $config
same "control.listen waits for a restart" 1 "$(weirctl config reload | grep -c control.listen)"
"$lab" stop controlplane >/dev/null
check "restarted" "$lab" start controlplane
listens() { [ "$(weirctl --json stats --interval 0 | jq '.controlplane.access.listen | map(select(.listening)) | length')" = 2 ]; }
check "it listens" eventually listens

umask 077
token() { weirctl token create "$@" 2>>$tmp/token.said; }
for role in sync read operate admin; do token $role --role $role >$dir/$role.token; done
check "a token has its prefix" grep -Eqx 'weir_[0-9a-f]{64}' $dir/read.token
check "one that expires" eval 'token short --role admin --expires 1s >$dir/expired.token'
check "one that is revoked" eval 'token gone --role admin >$dir/revoked.token && weirctl token revoke gone'
echo $state/tokens >$tmp/path
in_memory() { $python "$smoke_dir/rig/memory_find.py" $(pid controlplane) $1; }
check "memory can be searched" in_memory $tmp/path
check "no copy of a new token is left in it" eval '! in_memory $dir/admin.token'
printf 'weir_%064d\n' 0 >$dir/unknown.token
check "a name is used once" eval '! token read --role read && grep -q "valid already" $tmp/token.said'
check "a role that is none" eval '! weirctl token create x --role root'
check "the list has them" eval '[ "$(weirctl --json token list | jq ".tokens | length")" = 6 ]'
check "the file has no token" eval '[ -s $state/tokens ] && ! grep -q weir_ $state/tokens'
same "and is its owner's alone" 600 "$(stat -c %a $state/tokens)"

remote() { local role=$1; shift; "$WEIR_BUILD/tools/ctl/weirctl" --host 127.0.0.1 --ca $dir/ca.pem --token-file $dir/$role.token "$@"; }
said() { ! remote "$@" >$tmp/said 2>&1; }
says() { grep -qF -- "$1" $tmp/said || { cat $tmp/said && false; }; }
check "weirctl --host" remote read status
shape() { jq -c '[paths | map(if type == "number" then 0 else . end | tostring) | join(".")] | unique'; }
for what in status "stats --interval 0"; do
	same "$what of another box has all" "$(weirctl --json $what | shape)" "$(remote read --json $what | shape)"
	same "as text too" "$(weirctl $what | cut -d' ' -f1 | sort -u)" "$(remote read $what | cut -d' ' -f1 | sort -u)"
done
verdicts() { "$@" --json stats --interval 0 | jq -c '.dataplane.verdicts | select(add > 0)'; }
alike() { [ -n "$(verdicts weirctl)" ] && [ "$(verdicts weirctl)" = "$(verdicts remote read)" ]; }
check "with the same numbers" eventually alike
check "over IPv6 with a pin" "$WEIR_BUILD/tools/ctl/weirctl" --host '[::1]:9953' --token-file $dir/read.token upstreams --pin \
	"$(openssl x509 -in $dir/server.pem -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)"
check "by the environment" env WEIR_HOST=127.0.0.1 WEIR_TOKEN_FILE=$dir/read.token "$WEIR_BUILD/tools/ctl/weirctl" --ca $dir/ca.pem tcp
check "another role" remote operate cache flush ok-3000.cached.test
check "an admin" remote admin token list
check "a stream" eval 'timeout 60 "$WEIR_BUILD/tools/ctl/weirctl" --host 127.0.0.1 --ca $dir/ca.pem --token-file $dir/read.token --json \
	events --follow >$tmp/followed & reader=$!
	eventually grep -q process_started $tmp/followed; found=$?; kill $reader; [ $found = 0 ]'
check "a token for a stream" eval 'token watcher --role read >$dir/watcher.token'
timeout 90 "$WEIR_BUILD/tools/ctl/weirctl" --host 127.0.0.1 --ca $dir/ca.pem --token-file $dir/watcher.token --json events --follow \
	>$tmp/watched 2>&1 &
watcher=$!
check "it runs" eventually grep -q process_started $tmp/watched
check "the token is revoked" weirctl token revoke watcher
check "the stream ends with it" eventually eval '! kill -0 $watcher 2>/dev/null'
check "a token for a while" eval 'token brief --role read --expires 60s >$dir/brief.token'
timeout 90 "$WEIR_BUILD/tools/ctl/weirctl" --host 127.0.0.1 --ca $dir/ca.pem --token-file $dir/brief.token --json events --follow \
	>$tmp/brief 2>&1 &
brief=$!
check "a stream with it runs" eventually grep -q process_started $tmp/brief
ahead 60
check "and ends when it has expired" eventually eval '! kill -0 $brief 2>/dev/null'
timeout 90 curl -sN --cacert $dir/ca.pem --cert $dir/ops.pem --key $dir/ops.key https://127.0.0.1:9953/v1/events >$tmp/certified 2>&1 &
certified=$!
check "a stream with a certificate runs" eventually grep -q process_started $tmp/certified
timeout 300 "$WEIR_BUILD/tools/ctl/weirctl" --host 127.0.0.1 --ca $dir/ca.pem --token-file $dir/read.token --json events --follow \
	>$tmp/stays 2>&1 &
stays=$!
check "so does one with a token" eventually grep -q process_started $tmp/stays
sed -i 's/role: operate}\]$/role: read}]/' $config
check "its role changes" weirctl config reload
check "and the stream ends" eventually eval '! kill -0 $certified 2>/dev/null'
check "that of the token does not" kill -0 $stays
sed -i 's/role: read}\]$/role: operate}]/' $config
check "it has its role again" weirctl config reload
check "a role that does not suffice" said read cache flush a.test
check "is named" says "the role of this user does not allow that"
check "an expired token" eventually said expired status
check "is named" eval 'said expired upstreams && says "the token has expired"'
check "a revoked one" eval 'said revoked upstreams && says "the token is revoked"'
check "an unknown one" eval 'said unknown upstreams && says "unknown token"'
check "a certificate that is not trusted" eval '! "$WEIR_BUILD/tools/ctl/weirctl" --host 127.0.0.1 --token-file $dir/read.token upstreams \
	>$tmp/said 2>&1 && says "certificate is not trusted"'
check "a wrong pin" eval '! "$WEIR_BUILD/tools/ctl/weirctl" --host 127.0.0.1 --token-file $dir/read.token --pin $(printf "%064d" 0) upstreams \
	>$tmp/said 2>&1 && says "certificate is not trusted"'
check "a token file that others can read" eval 'chmod 644 $dir/read.token; said read upstreams; chmod 600 $dir/read.token; says "chmod 600"'
check "a command of the box itself" eval 'said read ports; says "works on its own box alone"'
check "the machine of another box" eval 'said read doctor; says "no report is there yet; run"'
finding='{"verdict":"%s","check":"%s","text":"%s"}'
{
	printf '{"format":1,"checked_unix_s":%d,"version":"1","ok":1,"warnings":0,"wrong":1,"not_checked":0,"left_out":0,"findings":[' \
		$(($(date +%s) - 7200))
	printf "$finding,$finding]}" wrong ports "the port is gone" ok units "all start"
} >$state/doctor
check "is as it was saved" eval 'said read doctor; says "wrong    ports: the port is gone" && says "checked 2 h "'
check "one check of it" eval 'remote read doctor units >$tmp/said && says "ok       units: all start" && ! says ports'
check "nobody listens" eval '! "$WEIR_BUILD/tools/ctl/weirctl" --host 127.0.0.1:9 upstreams >$tmp/said 2>&1 && says "cannot connect"'

https() { curl -s --cacert $dir/ca.pem -o $tmp/body -w '%{http_code}' "$@"; }
same "a client's certificate has a role" 200 "$(https --cert $dir/ops.pem --key $dir/ops.key https://127.0.0.1:9953/v1/upstreams)"
same "and no more than that" 403 "$(https --cert $dir/ops.pem --key $dir/ops.key https://127.0.0.1:9953/v1/tokens)"
same "one without a role" 401 "$(https --interface 127.1.0.1 --cert $dir/nobody.pem --key $dir/nobody.key https://127.0.0.1:9953/v1/upstreams)"
same "one of another authority" 000 "$(https --cert $dir/other.pem --key $dir/other.key https://127.0.0.1:9953/v1/upstreams)"
same "the socket has /v1, too" 200 "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/weir/control/control.sock http://weir/v1/upstreams)"
same "no connection from elsewhere" 000 "$(https -m 1 --interface 127.200.0.1 https://127.0.0.1:9953/v1/upstreams)"

set_toggle() { https -d a=b -H "Authorization: Bearer $(<$dir/$1.token)" "https://127.0.0.1:9953/v1/set?toggle=$2&value=$3"; }
same "an operator turns the API off" 403 "$(set_toggle operate api off)"
same "and the query log" 403 "$(set_toggle operate query_log off)"
same "an admin does" 200 "$(set_toggle admin api off)"
check "and can still see to tokens" eval 'token late --role read >$tmp/late && remote admin token revoke late && said admin upstreams'
check "a role comes before the toggle" eval 'said read tokens; said operate cache flush a.test; says "toggle api is off"'
same "and turns it on" 200 "$(set_toggle admin api on)"

drop() { https -d a=b --interface $1 -H "Authorization: Bearer $(<$dir/$2.token)" "https://127.0.0.1:9953/v1/drops/add?source=$3&minutes=$4"; }
same "an operator drops a network" 200 "$(drop 127.0.0.1 operate 198.18.0.0/16 60)"
same "none of twice that size" 403 "$(drop 127.0.0.1 operate 198.18.0.0/15 60)"
check "and the reply says so" grep -q "an operator may drop /16 at most" $tmp/body
same "nor for longer" 403 "$(drop 127.0.0.1 operate 198.18.0.1 61)"
same "an admin asks from somewhere" 200 "$(https --interface 127.3.0.1 -H "Authorization: Bearer $(<$dir/admin.token)" https://127.0.0.1:9953/v1/upstreams)"
same "which no operator drops" 403 "$(drop 127.0.0.1 operate 127.3.0.0/24 5)"
check "and the reply says so" grep -q "an admin has asked from there" $tmp/body
same "nor what control.allow has" 403 "$(drop 127.0.0.1 operate ::1 5)"
same "nobody drops the own address" 403 "$(drop 127.0.0.1 admin 127.0.0.0/24 5)"
same "an admin drops what there is" 200 "$(drop 127.0.0.1 admin 198.0.0.0/8 1440)"
check "on the box, too, with a warning" eval 'weirctl drops add 127.3.0.0/24 1 2>$tmp/said && says "warning: an admin has asked from 127.3.0.1/32"'
check "and without where it shuts out nobody" eval 'weirctl drops add 198.19.0.0/24 1 2>$tmp/said && [ ! -s $tmp/said ]'
for source in 198.18.0.0/16 198.0.0.0/8 127.3.0.0/24 198.19.0.0/24; do weirctl drops remove $source >/dev/null; done

adversary() {
	$python "$smoke_dir/rig/control_adversary.py" "$root/docs/reference/openapi.json" $dir $(pid controlplane) $tmp/secrets \
		"$lab exec kdig +short +timeout=2 @$service ok-3000.cached.test A" 2>&1 | tee $tmp/adversary
	return "${PIPESTATUS[0]}"
}
echo 'a long password' | weirctl password set eve --role operate >$tmp/set
check "a local user has a password" grep -q '"eve" set' $tmp/set
check "a short one is refused" eval '! echo short | weirctl password set bob --role read'
check "the list has the user" eval 'weirctl --json password list | jq -e ".users == [{name: \"eve\", role: \"operate\"}]"'
check "the file has no password" eval '[ "$(stat -c %a $state/passwords)" = 600 ] && ! grep -q "a long" $state/passwords'

same "eve logs in" 200 "$(https -D $tmp/head -d user=eve --data-urlencode 'password=a long password' https://127.0.0.1:9953/v1/session)"
same "and out" 200 "$(https -b "$(grep -o '__Host-weir=[0-9a-f]*' $tmp/head)" -H "X-Weir-CSRF: $(jq -r .csrf $tmp/body)" -d a=b \
	https://127.0.0.1:9953/v1/session/end)"
reloads=$(grep -c config_reloaded $tmp/stays)
more_reloads() { [ "$(grep -c config_reloaded $tmp/stays)" -gt "$reloads" ]; }
check "the configuration is read again" weirctl config reload
check "which the other user's stream has" eventually more_reloads
kill $stays

ahead 10 # the log takes 20 refused tries at once, and two a second: it has room for one of each kind again
check "an adversary" adversary
sed 's/^/  /' $tmp/adversary

same "a session that has ended" 401 \
	"$(https --interface 127.1.0.2 -b "__Host-weir=$(printf %064d 0)" https://127.0.0.1:9953/v1/upstreams)"
serial() { openssl s_client -connect 127.0.0.1:9953 </dev/null 2>/dev/null | openssl x509 -noout -serial; }
before=$(serial)
{ certificate server ca IP:127.0.0.1; } 2>/dev/null
renewed() { [ "$(serial)" != "$before" ] && [ -n "$(serial)" ]; }
ahead 5
check "a new certificate is taken without a restart" eventually renewed
cp $dir/server.pem $tmp/good.pem
echo rubbish >$dir/server.pem
ahead 5
check "a bad one is an alarm that names the file" eventually eval \
	'weirctl --json ready | jq -e ".reasons | any(.text | contains(\"cannot use the files of control: $dir/server.pem\"))"'
cp $tmp/good.pem $dir/server.pem
$python "$smoke_dir/rig/kept_connection.py" $dir 60 >$tmp/kept &
kept=$!
check "a connection with a client's certificate" eventually grep -qx 200 $tmp/kept
{ authority clients; } 2>/dev/null
ahead 5
check "when nobody vouches for it any more" wait $kept
same "has no role any more, and is closed" "200 421 closed" "$(echo $(<$tmp/kept))"

entries() { weirctl --json audit --limit 1000 | jq -e "[.entries[] | select($1)] | length > 0"; }
check "the audit log has a change on the socket" eventually entries '.who == "uid 0" and .path == "/token/create" and .status == 200'
check "and one over the network" eventually entries '.who == "token operate" and .from == "127.0.0.1" and .path == "/cache/flush" and .status == 200'
for why in no_token expired revoked unknown role no_role not_bearer password csrf session; do
	check "and a refused try: $why" eventually entries ".refused == \"$why\""
done
check "and a drop rule that an operator may not have" eventually entries \
	'.who == "token operate" and .path == "/drops/add" and .status == 403 and (.query | contains("source=198.18.0.0/15"))'
check "and the lock-out" eventually entries '.what == "this address is locked out for 60 s"'
check "an event of the lock-out" eval 'weirctl events | grep -q "locked out of the control API"'
check "for admins alone" eval 'said operate audit && remote admin audit --limit 3'
check "weirctl audit" eval 'weirctl audit --limit 1000 | grep -q "token operate from 127.0.0.1: POST /cache/flush?name="'
check "metrics" eval 'weirctl metrics | grep -q "^weir_access_refused_total{why=\"expired\"} [1-9]"'
check "no token in any log or output" eval \
	'! { cat $dir/*.token && echo "a long password" && echo "a+long+password" && cat $tmp/secrets; } | grep -vx "weir_0*" |
		grep -rFf - /run/weir/lab/*.log $state/ $(ls -d $tmp/* | grep -v secrets)'
check "a secret in the URL is not in the log" eval 'https --interface 127.1.0.3 -d a=b "https://127.0.0.1:9953/v1/session?password=hunter2"
	https -d a=b -H "Authorization: Bearer $(<$dir/admin.token)" \
		"https://127.0.0.1:9953/v1/lists/add?name=x&format=none&place=https://eve:hunter2@127.0.0.1:9/x%3fhunter2&why=$(printf "%%01%.0s" {1..300})"
	eventually entries ".path == \"/lists/add\" and ((.query // \"\") | contains(\"place=https://127.0.0.1:9/x?...&why=%01%01\"))" && ! grep -F hunter2 $state/audit.log*'
check "the log is its owner's alone" eval '[ "$(stat -c %a $state/audit.log)" = 600 ]'
check "a token is made" eval 'token lost --role read >$dir/lost.token && remote lost upstreams'
rm $state/tokens
mkdir $state/tokens # where no file can be written now
check "and revoked all the same, with an error" eval '! weirctl token revoke lost >$tmp/said 2>&1 && says "in force, but a restart forgets it"'
check "it is refused" eval 'said lost upstreams && says "the token is revoked"'
rmdir $state/tokens
check "and revoked for good, once that can be stored" eval 'weirctl token revoke lost && grep -q "^lost .* revoked$" $state/tokens'
check "a user is removed" weirctl password remove eve
"$lab" stop controlplane >/dev/null
echo 'eve operate' >>$state/passwords
"$lab" start controlplane >/dev/null
check "tokens outlive a restart, and a damaged file of passwords" eventually remote read upstreams
check "which status names" eval 'weirctl status | grep -q "DAMAGED .*$state/passwords"'
check "and ready" eventually eval 'weirctl --json ready | jq -e ".reasons | any(.id == \"control_file\" and .about == \"passwords\")"'
check "a token is made nevertheless" token another --role read
check "no password is set" eval '! echo "a long password" | weirctl password set eve --role operate'
check "and so does what is revoked" said revoked upstreams
finish
