"use strict";
// An express-session-multicast node that does what stands on a line of its input, as JSON, and answers each with a line.
const session = require("express-session");
const log = console.log;
console.log = () => {}; // the package prints express-session's own class
const Store = require("express-session-multicast")(session);
const seen = { lines: 0 };
const quiet = { debug() {}, info() { seen.lines++; }, trace(e) { log(JSON.stringify({ trace: String(e) })); } };
const store = new Store({ use: process.argv[2], logger: quiet });
store.on("connect", () => log(JSON.stringify({ ready: true })));
process.on("uncaughtException", (e) => { log(JSON.stringify({ died: String(e && e.stack) })); process.exit(9); });

const created = (line) => Object.assign(line.session, line.maxAge
  ? { cookie: new session.Cookie({ maxAge: line.maxAge }) } : { cookie: new session.Cookie() });
const ops = {
  set(line, done) { store.set(line.sid, created(line), () => done({})); },
  many(line, done) {
    for (let i = 0; i < line.count; i++) store.set(line.sid + i, created({ session: { pad: "x".repeat(line.size) } }), () => {});
    done({});
  },
  // As express-session reads it: inflated into a Session, which throws where its cookie is none.
  get(line, done) {
    store.get(line.sid, (err, data) => {
      if (err || !data) return done({ session: null });
      const copy = JSON.parse(JSON.stringify(data));
      const inflated = store.createSession({ sessionStore: store, sessionID: line.sid }, JSON.parse(JSON.stringify(data)));
      done({ session: copy, expires: inflated.cookie.expires });
    });
  },
  destroy(line, done) { store.destroy(line.sid, () => done({})); },
  count(line, done) { store.sessionDb.count({}, (e, n) => done({ count: n })); },
  copies(line, done) { store.sessionDb.count({ sid: line.sid }, (e, n) => done({ count: n })); },
  hosts(line, done) { store.hostDb.count({ asked: { $exists: false } }, (e, n) => done({ count: n })); },
};
let rest = "";
process.stdin.on("data", (text) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  for (const text of lines) {
    const line = JSON.parse(text);
    ops[line.op](line, (answer) => log(JSON.stringify(Object.assign({ id: line.id }, answer))));
  }
});
