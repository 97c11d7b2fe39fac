# SPDX-License-Identifier: BSD-3-Clause
# Sourced by tools/fleet-lab and smoke tests: how Debian's ClickHouse (18.16) is started beside a lab.

ch_password='it"s & secret' # of the user weir; the user default has none

# write_clickhouse DIR ADDRESS HTTP_PORT TCP_PORT [XML]: DIR/config.xml of a server with its data in DIR; XML goes into it.
write_clickhouse() {
	mkdir -p "$1/data" "$1/tmp" "$1/files"
	cat >"$1/users.xml" <<-XML
		<yandex><profiles><default/></profiles><quotas><default/></quotas><users>
		<default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default>
		<weir><password>it"s &amp; secret</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></weir>
		</users></yandex>
	XML
	cat >"$1/config.xml" <<-XML
		<yandex><logger><level>warning</level><log>$1/log</log><errorlog>$1/err</errorlog></logger>
		<http_port>$3</http_port><tcp_port>$4</tcp_port><listen_host>$2</listen_host>
		<path>$1/data/</path><tmp_path>$1/tmp/</tmp_path><user_files_path>$1/files/</user_files_path>
		<users_config>$1/users.xml</users_config><default_profile>default</default_profile>
		<default_database>default</default_database><mark_cache_size>33554432</mark_cache_size>${5-}</yandex>
	XML
}
