"""A TCP relay on loopback that makes a line long: every byte arrives later, and no fewer of them per second.

    python delay.py PORT MILLISECONDS     prints its own port, then relays until it is killed
"""

import asyncio
import sys

CHUNK_BYTES = 1 << 18
QUEUE_BYTES = 64 << 20  # what may be on its way in one direction


async def carry(reader, writer, seconds):
    """Half of the delay in each direction: a request and its answer take it once."""
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue(QUEUE_BYTES // CHUNK_BYTES)

    async def read():
        while True:
            data = await reader.read(CHUNK_BYTES)
            await queue.put((loop.time() + seconds, data))
            if not data:
                return

    async def write():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    await asyncio.gather(read(), write())


async def relay(port, seconds):
    async def connected(reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port, limit=CHUNK_BYTES)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, to_writer, seconds / 2), carry(to_reader, writer, seconds / 2),
                             return_exceptions=True)
        for side in (writer, to_writer):
            side.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=CHUNK_BYTES)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), float(sys.argv[2]) / 1000))
