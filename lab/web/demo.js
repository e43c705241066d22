// The demo's page: Converse.js, told where the server and the room are (demo.json, written by lab/demo.py).
// ?user=bob logs the second account in; two tabs of one browser may hold two users. ?room=none joins no channel.
import './dist/converse.min.js';

const demo = await (await fetch('demo.json', { cache: 'no-store' })).json();
const asked = new URLSearchParams(location.search);
const wanted = asked.get('user');
const user = demo.accounts.find(({ name }) => name === wanted) ?? demo.accounts[0];

document.title = `${user.name} – Transports`;
converse.initialize({
    // Relative to the page, so that it works through a forwarded port as well.
    websocket_url: `${location.protocol.replace('http', 'ws')}//${location.host}/xmpp-websocket`,
    bosh_service_url: `${location.origin}/http-bind`,
    discover_connection_methods: false,
    assets_path: new URL('dist/', location.href).href,
    authentication: 'login',
    jid: user.jid,
    password: user.password,
    // Kept for the tab alone: the next demo starts afresh.
    allow_user_trust_override: 'off',
    auto_join_rooms: asked.get('room') === 'none' ? [] : [{ jid: demo.room, nick: user.name }],
    auto_register_muc_nickname: false,
    view_mode: 'fullscreen',
    show_self_in_roster: false,
    allow_registration: false,
    muc_show_logs_before_join: true,
    colorize_username: true,
    use_system_emojis: true,
    loglevel: 'warn',
    // A channel of IRC cannot be encrypted from end to end.
    blacklisted_plugins: ['converse-omemo'],
});
