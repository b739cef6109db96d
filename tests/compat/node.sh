#!/bin/bash
# node: an HTTP server and its client in one process, worker threads, a child process
# group javascript
# needs node
# packages nodejs
# version node --version
set -e
cat > http.js <<'EOF'
const http = require('http');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFile } = require('child_process');
if (!isMainThread) {
	let sum = 0;
	for (let i = 0; i < 300000; i++) sum = (sum * 31 + i + workerData) % 1000003;
	parentPort.postMessage(sum);
} else {
	const server = http.createServer((request, response) => response.end('path ' + request.url));
	server.listen(0, '127.0.0.1', async () => {
		const port = server.address().port;
		const get = i => new Promise((done, failed) => {
			http.get({ host: '127.0.0.1', port, path: '/' + i, agent: false }, response => {
				let body = '';
				response.on('data', part => body += part);
				response.on('end', () => done(body));
			}).on('error', failed);
		});
		for (let i = 0; i < 10; i++) console.log(await get(i));
		server.close();
		const sums = await Promise.all([1, 2, 3].map(seed => new Promise(done =>
			new Worker(__filename, { workerData: seed }).on('message', done))));
		console.log(sums.join(' '));
		execFile('echo', ['child'], (error, out) => console.log(out.trim()));
	});
}
EOF
node http.js
