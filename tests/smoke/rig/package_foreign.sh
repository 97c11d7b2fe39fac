#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What shows of the package of another machine where its programs run under qemu's user mode alone (tools/bare ARCH --package): its
# fields, the machine of each file, the bill of materials, and what the programs say. usage: package_foreign.sh DIR ARCH
set -u
dir=$1 arch=$2 bad=0
root=$(cd "$(dirname "$0")/../../.." && pwd)
version=$("$root/tools/package" --version) said=$("$root/tools/version") || exit 1
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
case $arch in
arm64) cpu=AArch64 run=qemu-aarch64-static ;;
*) echo "not ok - nothing known of $arch" && exit 1 ;;
esac

check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@"; then echo "ok - $what"; else echo "not ok - $what" && bad=1; fi
}
same() { [ "$1" = "$2" ] || { echo "'$2' for '$1'" && false; }; }
field() { dpkg-deb -f "$dir/$1_${version}_$arch.deb" "$2"; }
# The files of a package that a processor runs.
programs() { find "$tree/$1" -type f -exec sh -c 'head -c 4 "$1" | grep -qa "^.ELF"' - {} \; -print | sort; }
says() { $run "$@" 2>&1; }

for package in weir weir-dbgsym; do
	check "$package is for $arch" same "$arch" "$(field $package Architecture)"
	check "$package has the version" same "$version" "$(field $package Version)"
	check "$package unpacks" dpkg-deb -x "$dir/${package}_${version}_$arch.deb" "$tree/$package"
	count=$(programs $package | wc -l)
	check "$package has programs" [ "$count" -ge 5 ]
	check "each file of $package is for $cpu" same "$count" "$(programs $package | xargs readelf -h 2>/dev/null | grep -c "Machine: *$cpu\$")"
done
for needed in libc6 libunbound8 'librte-bus-vdev[0-9]+' 'librte-net-tap[0-9]+' 'librte-mempool-ring[0-9]+'; do
	check "weir depends on $needed" grep -qE "(^|, )$needed( |,|\$)" <<<"$(field weir Depends)"
done
check "weir recommends drivers" grep -qE 'librte-net-af-xdp[0-9]+' <<<"$(field weir Recommends)"
for program in $(programs weir); do
	id=$(readelf -n "$program" | sed -n 's/.*Build ID: //p')
	check "${program##*/} has its symbols beside it" [ -e "$tree/weir-dbgsym/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" ]
	check "${program##*/} has none itself" [ -z "$(readelf -S "$program" | grep -w .symtab)" ]
done
check "all libraries of the bill of materials are for $arch" same "?arch=$arch" \
	"$(grep -o '?arch=[a-z0-9]*' "$dir/weir_$version.spdx.json" | grep -v '?arch=all' | sort -u)"
for program in sbin/weir-dataplane sbin/weir-controlplane bin/weirctl; do
	check "$program says the version" grep -qF " $said" <<<"$(says "$tree/weir/usr/$program" --version)"
done
check "rulec says how it is used" grep -q '^usage: rulec' <<<"$(says "$tree/weir/usr/bin/rulec" --help)"
check "weirctl takes the example of a configuration" $run "$tree/weir/usr/bin/weirctl" config check \
	"$tree/weir/usr/share/doc/weir/examples/weir.yaml"
exit $bad
