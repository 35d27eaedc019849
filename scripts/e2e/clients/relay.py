"""A relay in front of a server, which loses answers: the first one to each operation that it is told."""

import select
import socket
import threading


class Relay:
    """Passes bytes on, both ways. When a connection asks for one of the operations for the first time, the server gets
    the whole request and answers, and then the connection ends without that answer: as if the network had."""

    def __init__(self, port, lost):
        self.port, self.left, self.lock = port, set(lost), threading.Lock()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asked, is_losing = b"", False
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    try:
                        data = ready.recv(65536)
                    except OSError:
                        return
                    if not data or (ready is server and is_losing):
                        return
                    (server if ready is client else client).sendall(data)
                    if ready is client:
                        # A header may come in two parts.
                        asked = (asked + data)[-131072:]
                        is_losing = is_losing or self.loses(asked)
                    else:
                        asked = b""

    def loses(self, asked):
        with self.lock:
            for operation in self.left:
                if f"AwsProton20200720.{operation}\r\n".encode() in asked:
                    self.left.discard(operation)
                    return True
        return False
