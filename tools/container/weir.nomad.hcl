# SPDX-License-Identifier: BSD-3-Clause
# Nomad, with Docker: weir on each client node that has the metadata weir = "serve". The plugin docker of the nodes needs
#   allow_caps = ["setuid", "setgid", "net_bind_service", "net_admin", "net_raw", "bpf", "perfmon", "ipc_lock", "chown"]
# docs/how-to/kubernetes.md says what was tried.
job "weir" {
  type = "system"

  constraint {
    attribute = "${meta.weir}"
    value     = "serve"
  }

  update {
    max_parallel = 1
    stagger      = "90s"
  }

  group "weir" {
    network { mode = "host" }

    task "weir" {
      driver       = "docker"
      kill_timeout = "10s"

      config {
        image           = "weir"
        network_mode    = "host"
        readonly_rootfs = true
        cap_drop        = ["all"]
        cap_add         = ["setuid", "setgid", "net_bind_service", "net_admin", "net_raw", "bpf", "perfmon", "ipc_lock", "chown"]
        volumes         = ["local/weir:/etc/weir:ro"]

        mount {
          type   = "tmpfs"
          target = "/run"
          tmpfs_options { size = 536870912 }
        }
        mount {
          type   = "volume"
          source = "weir"
          target = "/var/lib/weir"
        }
      }

      env { TZ = "Europe/Berlin" }

      template {
        destination = "local/weir/weir.yaml"
        change_mode = "script"
        change_script {
          command = "/usr/bin/weirctl"
          args    = ["config", "apply"]
          timeout = "120s"
        }
        data = <<YAML
runtime: {group: weir-admin, stats_group: weir-stats}
dataplane:
  main_lcore: 0
  worker_lcores: [auto]
  memory_mb: 256
  ports: [{xdp: eth0}]
  service_addresses: [192.0.2.53/24]
fallback: {udp: on}
cache: {l0_mb: 64}
access: {allow: [private, local]}
upstreams: {servers: [{address: "tls://dns.quad9.net@9.9.9.9"}, {address: "tls://dns.quad9.net@149.112.112.112"}]}
blocking: {lists: [{name: oisd-small, url: "https://small.oisd.nl/"}]}
YAML
      }

      service {
        name     = "weir"
        provider = "consul"
        check {
          type     = "script"
          command  = "/usr/bin/weirctl"
          args     = ["ready"]
          interval = "10s"
          timeout  = "5s"
        }
      }

      resources {
        cpu    = 500
        memory = 1024
      }
    }
  }
}
