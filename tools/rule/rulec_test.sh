#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# usage: rulec_test.sh RULEC. Compiles two small lists, inspects and asks the image, spoils it.
set -u
rulec=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
cd "$dir" || exit 1

fail() {
	echo "rulec_test: $1" >&2
	exit 1
}

expect() { # STATUS PATTERN COMMAND...
	local status=$1 pattern=$2 out rc
	shift 2
	out=$("$@" 2>&1)
	rc=$?
	[ $rc -eq "$status" ] || fail "'$*' ended with $rc: $out"
	grep -q -- "$pattern" <<<"$out" || fail "'$*' said: $out"
}

printf 'ads.example\n0.0.0.0 evil.example\ncom\nexample.com##.ad\n' >block
printf 'fine.ads.example\n' >allow
expect 0 'names=3 ' "$rulec" compile -o image -a allow block
expect 0 'block: lines=4 names=2 rejected=2 single_label=1 cosmetic=1' \
	"$rulec" compile -o image -a allow block
expect 0 'source 3: block: lines 4, names 2, rejected 2' "$rulec" inspect image
expect 0 'list 3 block: block: names 2, repeated 0' "$rulec" inspect image
expect 0 'www.ads.example block ads.example block \[block\]' "$rulec" query image www.ads.example
expect 0 'x.fine.ads.example pass fine.ads.example allow \[allow\]' "$rulec" query image x.fine.ads.example
expect 0 'example.com pass$' "$rulec" query image example.com
expect 0 "www.ads.example pass$" "$rulec" query --lists allow image www.ads.example
expect 0 "www.ads.example block ads.example" "$rulec" query --type MX --lists 2,3 image www.ads.example
expect 1 "no such list" "$rulec" query --lists 9 image www.ads.example
expect 1 "not a record type" "$rulec" query --type X image www.ads.example
expect 2 usage "$rulec" query image
expect 0 "^blocked by list block: 0.0.0.0 evil.example (line 2)" "$rulec" why -l block www.evil.example
expect 0 "^allowed by list good ones: fine.ads.example (line 1)" \
	"$rulec" why --type AAAA -a -t "good ones" -l allow -l block fine.ads.example
expect 0 "^\* list good ones: .* decides" "$rulec" why -a -t "good ones" -l allow -l block fine.ads.example
expect 0 "list block: ads.example (line 1) applies, but another" "$rulec" why -a -l allow -l block fine.ads.example
expect 0 "^not blocked: no rule names it" "$rulec" why -l block example.com
expect 1 "not a domain name" "$rulec" why -l block a..b
expect 1 "No such file" "$rulec" why -l missing a.example
expect 0 "^blocked by list block: com (line 3)" "$rulec" why -F -l block www.com
expect 0 "^not blocked" "$rulec" why -f hosts -l block ads.example
expect 0 "^blocked .*0.0.0.0 evil.example (line 2)" "$rulec" why -f hosts -l block evil.example
expect 2 usage "$rulec" why -f nonsense -l block ads.example
expect 2 usage "$rulec" why a.example
expect 2 usage "$rulec" why -l block
expect 1 'not a domain name' "$rulec" query image a..b
expect 0 '^www.ads.example block ads.example' "$rulec" query image - <<<'www.ads.example'
expect 0 '^x.fine.ads.example pass fine' "$rulec" query --type TXT image - <<<$'a.test\nx.fine.ads.example'
expect 1 '^invalid' "$rulec" query image - <<<$'a..b\nwww.ads.example'
expect 0 '' "$rulec" query image - </dev/null
expect 1 'No such file' "$rulec" compile -o other missing
[ -e other ] && fail 'an image was made of nothing'

# Each kind of rule of a list, through parser, builder and decision.
cat >kinds <<'END'
||s.example^
@@||ok.s.example^
||d.example^$denyallow=k.d.example
||i.example^$important
@@||i.example^
|x.example|
||r.example^$dnsrewrite=192.0.2.1
*.below.test CNAME .
||off.example^
||off.example^$badfilter
END
expect 0 'lines=10 names=11 rejected=0' "$rulec" compile -o kinds.img kinds
for row in s.example:block a.ok.s.example:pass d.example:block a.k.d.example:pass \
	a.i.example:block x.example:block a.x.example:pass below.test:pass a.below.test:block \
	r.example:data a.off.example:pass; do
	expect 0 "^${row%:*} ${row#*:}" "$rulec" query kinds.img "${row%:*}"
done
expect 0 '^not blocked: no rule names it' "$rulec" why -l kinds off.example
expect 0 'patterns 0, prefixes 0' "$rulec" inspect image
expect 0 'ads.example block ads.example' "$rulec" query --type HTTPS image ads.example
expect 0 'ads.example block ads.example' "$rulec" query --type TYPE257 image ads.example

printf '||ads.example^\n/^ads[0-9]+/\n||six.example^$dnstype=AAAA\n' >mixed
printf '$TTL 60\n@ SOA a. b. 1 2 3 4 5\n NS a.\nlocal.example A 198.18.0.9\n*.drop.example CNAME rpz-drop.\n32.7.0.18.198.rpz-ip CNAME .\n' >zone
expect 0 'names=4 ' "$rulec" compile -o kinds mixed zone
expect 0 'list 3 block: mixed: names 1, repeated 0, types 28$' "$rulec" inspect kinds
expect 0 'covers names below, reply drop$' "$rulec" inspect kinds
expect 0 'names with records 1, answers 1, 16 bytes; records left out 0' "$rulec" inspect kinds
expect 0 'pattern of list 2: /^ads\[0-9\]+/$' "$rulec" inspect kinds
expect 0 'prefix of list .*: 198.18.0.7/32$' "$rulec" inspect kinds
expect 0 'six.example pass$' "$rulec" query kinds six.example
expect 0 'six.example block six.example' "$rulec" query --type AAAA kinds six.example
expect 0 'local.example data local.example block data \[zone\] records=1 bytes=16$' \
	"$rulec" query kinds local.example
expect 0 'records=0 bytes=0$' "$rulec" query --type aaaa kinds local.example
expect 0 'x.drop.example drop drop.example block drop \[zone\]$' "$rulec" query kinds x.drop.example
expect 2 usage "$rulec" query --nonsense image ads.example
expect 2 usage "$rulec"
expect 2 usage "$rulec" compile -o image
expect 2 usage "$rulec" compile -x image
expect 0 "called so: lines=4" "$rulec" compile -t "called so" block -o other
printf 'x' | dd of=image bs=1 seek=700 conv=notrunc status=none
expect 1 'refused: checksum' "$rulec" inspect image
[ -e image ] || fail 'inspect moved the image'
exit 0
