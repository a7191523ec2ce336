// safe-chain's proxy on its own, as its wrapper starts it around pip; its lists come from loopback.
import { createServer } from "node:http";
import { Server } from "node:net";

const [safeChain, port] = process.argv.slice(2);
const released_on = Math.floor(Date.now() / 1000);
const recent = ["small", "mid", "big"].map((package_name) => ({ source: "pypi", package_name, version: "0.0.1", released_on }));
const lists = createServer((request, response) => {
  response.setHeader("etag", "1").end(JSON.stringify(request.url.startsWith("/releases") ? recent : []));
});
await new Promise((resolve) => lists.listen(0, "127.0.0.1", resolve));
process.env.SAFE_CHAIN_MALWARE_LIST_BASE_URL = `http://127.0.0.1:${lists.address().port}`;

const { setEcoSystem, ECOSYSTEM_PY } = await import(`${safeChain}/src/config/settings.js`);
const { createSafeChainProxy } = await import(`${safeChain}/src/registryProxy/registryProxy.js`);
setEcoSystem(ECOSYSTEM_PY);
const listen = Server.prototype.listen;
Server.prototype.listen = function (_anyPort, ...rest) {
  return listen.call(this, Number(port), ...rest);
};
await createSafeChainProxy().startServer();
