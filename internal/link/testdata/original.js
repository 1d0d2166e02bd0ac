"use strict";
// An express-session-multicast node and nothing else. It says "ready" and tells what it hears; it never answers to us.
const session = require("express-session");
const Store = require("express-session-multicast")(session);
const quiet = { debug() {}, info(...words) { console.log(words.map(String).join(" ")); }, trace(e) { console.log("trace", String(e)); } };
new Store({ use: process.argv[2], logger: quiet }).on("connect", () => console.log("ready"));
