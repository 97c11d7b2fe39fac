// SPDX-License-Identifier: BSD-3-Clause
// How devices come to ask this box: its addresses and names, steps for routers and devices, a profile for Apple's, and a test.
import { action, facts, field, fill, h, mark, row, save } from './dom.js';
import { get, lines } from './api.js';
import { _ } from './words.js';

const TLS_PORT = 853, HTTPS_PORT = 443, TEST_MS = 60000;

// "192.0.2.53:853", "[2001:db8::53]:853"
function placeOf(listener) {
  const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(listener.address);
  return { address, port: Number(port) };
}
const placesOf = (tcp, kind) => tcp.listeners.filter((l) => l.kind === kind && !l.error).map(placeOf);
// What a device can look up: not `*.dns.example`.
const nameOf = (tcp) => tcp.tls.certificates.flatMap((c) => c.names.split(' ')).find((n) => n && !n.startsWith('*')) ?? '';

const steps = (title, ...list) => h('details', {}, h('summary', {}, title), h('ol', {}, list.map((step) => h('li', {}, step))));
const AGAIN = _`Turn the Wi-Fi of a device off and on, or unplug and replug its cable.`;

const routers = () => [h('h2', {}, _`The router first`),
  h('p', {}, _`A router that names this box as the DNS server sets up all devices at home at once. Reserve the address of this box there, and set no second DNS server: devices ask any of several. The router itself keeps the DNS server of the provider.`),
  steps('FRITZ!Box', _`Where a field is missing, change the view from Standard to Advanced.`,
    _`Home Network > Network > Network Connections, the pencil at this box: Always assign this network device the same IPv4 address.`,
    _`Home Network > Network > Network Settings > IPv4 Configuration: write the address of this box into Local DNS server.`,
    _`The page of IPv6 beside it: write an IPv6 address of this box into the local DNSv6 server, or devices ask past it.`, AGAIN),
  steps('OpenWrt', _`Network > DHCP and DNS > Static Leases: reserve the address of this box.`,
    _`Network > Interfaces > lan > Edit > DHCP Server > Advanced Settings > DHCP-Options: add 6, a comma and the address of this box.`,
    _`In the IPv6 settings of the DHCP server turn the local IPv6 DNS server off, or announce an IPv6 address of this box.`, AGAIN),
  steps('UniFi', _`Client Devices, this box, Settings: a fixed IP address.`,
    _`Settings > Networks, a network, DHCP Server Management > Show options > DHCP DNS Server: write the address of this box, and no second one.`,
    _`The same network, IPv6, DHCPv6/RDNSS DNS Control: untick Auto, and write an IPv6 address of this box.`, AGAIN),
  steps(_`Any other router`, _`LAN, DHCP server, address reservation: reserve the address of this box.`, _`LAN, DHCP server, DNS server or primary DNS: write the address of this box. Leave the secondary one empty.`,
    _`LAN, IPv6, RDNSS or DHCPv6: write an IPv6 address of this box, or none.`, _`Leave the DNS server of WAN or Internet as it is.`, AGAIN)];

const byHand = () => [h('h2', {}, _`One device by hand`), h('p', {}, _`Where the router cannot name this box, or for one device alone.`),
  steps(_`Windows`, _`Settings > Network & internet > Wi-Fi or Ethernet, the network, DNS server assignment > Edit > Manual.`, _`Turn IPv4 on and write the address of this box into Preferred DNS. Leave the alternate one empty.`,
    _`DNS over HTTPS: leave it off, or choose the manual template and write the URL below, if the certificate is one that Windows trusts.`, _`Save.`),
  steps('macOS', _`System Settings > Network, the connection, Details > DNS.`, _`Remove what is there with the minus, and add the address of this box with the plus.`, 'OK.'),
  steps(_`iPhone and iPad`, _`Settings > Wi-Fi, the i beside the network, Configure DNS > Manual.`, _`Remove the servers that are there, and add the address of this box.`, _`Save. It counts in this Wi-Fi alone; a profile counts in all networks.`),
  steps(_`Android`, _`Settings > Network & internet > Internet, the gear beside the Wi-Fi, the pencil, Advanced options.`, _`IP settings > Static: write the address that the phone has now, and the address of this box into DNS 1. Write it into DNS 2 as well.`,
    _`Private DNS of the phone must be off or automatic, or have the name below.`),
  steps(_`Linux`, _`With NetworkManager: the settings of the connection, IPv4, turn automatic DNS off and write the address of this box. The same for IPv6.`,
    _`With systemd-resolved alone: write DNS= and the address of this box into /etc/systemd/resolved.conf, below [Resolve], and run sudo systemctl restart systemd-resolved.`)];

// A random one of version 4. crypto.randomUUID is not there on a page over HTTP.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  return [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-').toUpperCase();
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

// A text, a number, a list or an object as a property list has it.
function plist(v) {
  if (Array.isArray(v)) return `<array>${v.map(plist).join('')}</array>`;
  if (typeof v === 'object') return `<dict>\n${Object.entries(v).map(([key, value]) => `<key>${key}</key>${plist(value)}\n`).join('')}</dict>`;
  return typeof v === 'number' ? `<integer>${v}</integer>` : `<string>${escaped(v)}</string>`;
}

// `dns`: the DNSSettings of a profile for this box, which has the name.
function profile(name, dns) {
  const about = (type) => ({ PayloadType: type, PayloadIdentifier: `weir.${uuid()}`, PayloadUUID: uuid(), PayloadVersion: 1, PayloadDisplayName: `DNS of ${name}` });
  const whole = { ...about('Configuration'), PayloadContent: [{ ...about('com.apple.dnsSettings.managed'), DNSSettings: dns }] };
  return `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0">${plist(whole)}</plist>\n`;
}

// A profile cannot name a port of TLS, and Private DNS of Android neither.
function encrypted(tcp) {
  const tls = placesOf(tcp, 'dot').filter((p) => p.port === TLS_PORT), https = placesOf(tcp, 'doh'), hasTls = tls.length > 0, hasHttps = https.length > 0;
  if (!hasTls && !hasHttps) return [h('p', {}, _`This box serves DNS neither over TLS at port 853 nor over HTTPS. An admin turns them on by dot.enabled and doh.enabled, with a certificate.`)];
  const name = h('input', { required: true, maxLength: 253, pattern: '[A-Za-z0-9._\\-]+', value: nameOf(tcp), autocomplete: 'off' }), path = h('input', { required: true, maxLength: 120, value: '/dns-query', autocomplete: 'off' });
  const url = () => `https://${name.value}${https[0].port === HTTPS_PORT ? '' : `:${https[0].port}`}${path.value.replace(/^\/?/, '/')}`;
  const shown = h('code'), urlShow = () => { shown.textContent = hasHttps ? url() : ''; };
  const make = (file, dns) => () => {
    if (!name.reportValidity() || !path.reportValidity()) return '';
    save(new Blob([profile(name.value, dns())], { type: 'application/x-apple-aspen-config' }), file);
    return _`The profile is saved.`;
  };
  const copy = async () => {
    name.select();
    if (!navigator.clipboard) return _`The name is selected. Copy it by the keyboard.`;
    await navigator.clipboard.writeText(name.value);
    return _`Copied.`;
  };
  const addresses = (places) => [...new Set(places.map((p) => p.address))];
  name.addEventListener('input', urlShow);
  path.addEventListener('input', urlShow);
  urlShow();
  return [h('p', {}, _`The device must trust the certificate of this box, and the certificate must have the name. A certificate that the box made itself is trusted by no phone.`),
    row(field(_`Name of this box, which its certificate has`, name), hasHttps && field(_`Path of DNS over HTTPS, doh.path`, path)), hasHttps && h('p', {}, _`URL of DNS over HTTPS: `, shown),
    h('h3', {}, _`iPhone, iPad and Mac`), row(hasTls && action(_`Profile with TLS`, make('weir-tls.mobileconfig', () => ({ DNSProtocol: 'TLS', ServerName: name.value, ServerAddresses: addresses(tls) }))),
      hasHttps && action(_`Profile with HTTPS`, make('weir-https.mobileconfig', () => ({ DNSProtocol: 'HTTPS', ServerURL: url(), ServerAddresses: addresses(https) })))),
    h('ol', {}, [_`Send the file to the device, by AirDrop or mail, or open this page there.`, _`iPhone and iPad: Settings > General > VPN & Device Management, the profile, Install.`, _`Mac: System Settings > General > Device Management, the profile, Install.`].map((step) => h('li', {}, step))),
    h('h3', {}, _`Android`), hasTls ? [row(action(_`Copy name`, copy)),
      h('p', {}, _`Settings > Network & internet > Private DNS: the provider hostname is the name above. The phone must be able to look the name up in every network that it is in, and to reach this box there.`)]
      : h('p', {}, _`Private DNS asks over TLS at port 853, where this box does not serve it.`)];
}

// A name that nobody else asks for: whoever asks for it asks this box.
function test(signal) {
  const name = `check-${uuid().slice(0, 8).toLowerCase()}.example.com`, result = h('p', { role: 'status' });
  const wait = async () => {
    const ended = new AbortController(), most = AbortSignal.timeout(TEST_MS);
    let client = '';
    const log = await get('/log', {}, { signal });
    if (!log.enabled) {
      fill(result, mark('warn', _`The query log is off, so weir cannot see who asks. An admin turns it on in Settings, Log queries.`));
      return;
    }
    fill(result, mark('soft', _`Waiting for the device …`));
    await lines('/log/tail', { name }, AbortSignal.any([signal, most, ended.signal]), (q) => {
      if (!q.qname) return;
      client = q.client_name || q.client;
      ended.abort();
    }).catch((e) => {
      if (client || most.aborted) return;
      fill(result);
      throw e;
    });
    fill(result, client ? mark('good', _`${client} asks this box.`) : mark('warn', log.sample > 1 ? _`No query for the name was seen in a minute. The query log has only one in ${log.sample} queries, so this does not say which server the device asks.`
      : _`No query for the name came in a minute. The device asks another server.`));
  };
  return [h('h2', {}, _`Test a device`), h('ol', {}, h('li', {}, _`Press the button.`), h('li', {}, _`On the device open this address in a browser, or ask for it with nslookup: `, h('code', {}, name)), h('li', {}, _`This page says which client has asked. The browser of the device shows an error: there is no such site.`)),
    row(action(_`Wait for the device`, wait)), result];
}

export async function show(box, signal) {
  const tcp = await get('/tcp', {}, { signal }), plain = placesOf(tcp, 'tcp'), at = (p) => _`${p.address}, port ${p.port}`, over = (kind) => placesOf(tcp, kind).map(at).join('; ') || _`off`;
  box.append(h('h1', {}, _`Set up devices`), h('h2', {}, _`What this box answers at`),
    facts([['DNS', plain.map((p) => (p.port === 53 ? p.address : at(p))).join('; ') || _`no address`], [_`DNS over TLS`, over('dot')], [_`DNS over HTTPS`, over('doh')], [_`Names in its certificates`, tcp.tls.certificates.map((c) => c.names).join(' ') || _`none`]]),
    ...routers(), ...byHand(), h('h2', {}, _`Over TLS or HTTPS, also away from home`), ...encrypted(tcp).flat().filter((e) => e), ...test(signal));
}
