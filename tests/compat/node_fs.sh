#!/bin/bash
# node: files, streams, zlib, crypto, timers
# group javascript
# needs node
# packages nodejs
# version node --version
set -e
cat > files.js <<'EOF'
const fs = require('fs'), zlib = require('zlib'), crypto = require('crypto');
(async () => {
	const text = Array.from({ length: 20000 }, (_, i) => 'line ' + i).join('\n');
	await fs.promises.writeFile('text', text);
	const packed = zlib.gzipSync(await fs.promises.readFile('text'));
	console.log(zlib.gunzipSync(packed).toString() === text);
	console.log(crypto.createHash('sha256').update(text).digest('hex'));
	console.log(crypto.pbkdf2Sync('a', 'b', 2000, 16, 'sha256').toString('hex'));
	let ticks = 0;
	await new Promise(done => {
		const timer = setInterval(() => { if (++ticks === 5) { clearInterval(timer); done(); } }, 3);
	});
	console.log('ticks', ticks);
	await new Promise(done => fs.createReadStream('text').pipe(fs.createWriteStream('copy')).on('finish', done));
	console.log((await fs.promises.stat('copy')).size, fs.readdirSync('.').sort().join(' '));
})();
EOF
node files.js
