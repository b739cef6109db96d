"""An asyncio server with many clients, a child behind pipes, datagrams and a unix socket."""
import asyncio
import os


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def talk(streams, number):
    reader, writer = streams
    lines = []
    for i in range(5):
        writer.write(b"client %d says %d\n" % (number, i))
        await writer.drain()
        lines.append(await reader.readline())
        await asyncio.sleep(0.001)
    writer.close()
    await writer.wait_closed()
    return lines


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data[::-1], address)


class Ask(asyncio.DatagramProtocol):
    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, address):
        self.answer.set_result(data)


async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    all_lines = await asyncio.gather(
        *[talk(await asyncio.open_connection("127.0.0.1", port), n) for n in range(8)])
    print(sum(map(len, all_lines)), all_lines[7][4])
    server.close()
    local = await asyncio.start_unix_server(serve, "socket")
    print((await talk(await asyncio.open_unix_connection("socket"), 1))[0])
    local.close()
    os.unlink("socket")
    child = await asyncio.create_subprocess_exec("tr", "a-z", "A-Z", stdin=-1, stdout=-1)
    print(await child.communicate(b"through a child"))
    echo, _ = await loop.create_datagram_endpoint(Echo, ("127.0.0.1", 0))
    address = echo.get_extra_info("sockname")
    ask, protocol = await loop.create_datagram_endpoint(Ask, remote_addr=address)
    ask.sendto(b"backwards")
    print(await protocol.answer)
    echo.close()
    ask.close()
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)
    except asyncio.TimeoutError:
        print("nothing came")


asyncio.run(main())
