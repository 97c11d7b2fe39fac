# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the tests of TLS: certificates in $dir.

authority() { # authority NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1 of this test" \
		-keyout $dir/$1.key -out $dir/$1.pem -addext keyUsage=critical,keyCertSign
}
certificate() { # certificate FILE AUTHORITY NAMES
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=server \
		-keyout $dir/$1.key -out $dir/$1.pem -CA $dir/$2.pem -CAkey $dir/$2.key \
		-addext "subjectAltName=$3" -addext basicConstraints=critical,CA:FALSE
}
expired_certificate() { # expired_certificate FILE AUTHORITY COMMON_NAME: since 2020; `ca` is what takes dates in every version of openssl
	: >$dir/$1.index && cat >$dir/$1.conf <<-END
		[ca]
		default_ca = this
		[this]
		database = $dir/$1.index
		new_certs_dir = $dir
		rand_serial = yes
		default_md = sha256
		copy_extensions = copy
		policy = any
		[any]
		commonName = supplied
	END
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$3" \
		-addext "subjectAltName=DNS:$3" -keyout $dir/$1.key -out $dir/$1.csr &&
		openssl ca -batch -notext -config $dir/$1.conf -startdate 20200101000000Z -enddate 20200102000000Z \
			-cert $dir/$2.pem -keyfile $dir/$2.key -in $dir/$1.csr -out $dir/$1.pem
}
