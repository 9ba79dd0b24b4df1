// Answers each request with what Node's own parser has made of it, and tells on /seen all that it has seen.
const http = require('node:http');

const seen = {};

function answer(request, response) {
  if (request.url === '/seen') {
    response.end(JSON.stringify(seen));
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const echo = `${request.method} ${request.url} ${Buffer.concat(chunks).length}\n`;
    const id = /k[0-9]{5}[a-zA-Z]/.exec(request.url)?.[0] ?? '';
    (seen[id] ??= []).push(echo);
    response.setHeader('Content-Length', echo.length);
    response.end(request.method === 'HEAD' ? undefined : echo);
  });
}

const server = http.createServer({ keepAliveTimeout: 600_000, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 65_536 }, answer);
server.on('checkExpectation', answer);
server.listen(0, '127.0.0.1', () => console.log(`port=${server.address().port}`));
