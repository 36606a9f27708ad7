/*
 * An echo server on liburing, as its documentation would have one written today: what a library over io_uring costs is
 * measured against it.
 *
 * usage: echo_liburing CONNECTIONS, with a TCP listener as standard input
 *
 * One ring of one thread with deferred task work; a registered ring and registered files; multishot accept straight into
 * the file table; one multishot receive per connection out of a ring of buffers; a send straight from the received buffer,
 * which goes back to the ring with the send's completion. Everything that became ready is handed over with the next wait,
 * in one system call. Bytes of one connection are sent one buffer after the other, so that they cannot overtake each other.
 */
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ENTRIES = 256,
	BUFFERS = 256, /* a power of two */
	BUFFER_LEN = 2048,
	MOST_CONNECTIONS = 1024,
	GROUP = 0,
	NONE = UINT16_MAX,
};

/* What a completion is of: the upper half of its user data. The lower half is a connection, and in a send's the buffer. */
enum kind { ACCEPT, RECEIVE, SEND, OTHER };

struct connection {
	/* Buffers that came while a send was under way, linked through `next`. */
	uint16_t first, last;
	bool sending, ended;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static uint8_t memory[BUFFERS][BUFFER_LEN] __attribute__((aligned(4096)));
static uint16_t next[BUFFERS];
static uint16_t length[BUFFERS];
static struct connection connections[MOST_CONNECTIONS];
static unsigned open_connections;
/* Buffers added since the kernel was last told. */
static int returned;

static void check(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "echo_liburing: %s: %s\n", what, strerror(-result));
		exit(1);
	}
}

static uint64_t tag(enum kind kind, unsigned buffer, unsigned connection)
{
	return (uint64_t)kind << 32 | buffer << 16 | connection;
}

static struct io_uring_sqe *request(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (__builtin_expect(!sqe, 0)) {
		check(io_uring_submit(&ring), "io_uring_enter");
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

static void accept_connections(void)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_multishot_accept_direct(sqe, STDIN_FILENO, NULL, NULL, 0);
	sqe->user_data = tag(ACCEPT, 0, 0);
}

static void receive(unsigned connection)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_recv_multishot(sqe, connection, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = tag(RECEIVE, 0, connection);
}

static void send_buffer(unsigned connection, unsigned buffer)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_send(sqe, connection, memory[buffer], length[buffer], MSG_WAITALL | MSG_NOSIGNAL);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = tag(SEND, buffer, connection);
	connections[connection].sending = true;
}

static void return_buffer(unsigned buffer)
{
	io_uring_buf_ring_add(buffers, memory[buffer], BUFFER_LEN, buffer, io_uring_buf_ring_mask(BUFFERS), returned++);
}

static void close_connection(unsigned connection)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_close_direct(sqe, connection);
	sqe->user_data = tag(OTHER, 0, connection);
	open_connections--;
}

/* The peer is gone in the middle of a send: nothing more can be sent, and the receive is made to end. */
static void give_up(unsigned connection)
{
	struct connection *c = &connections[connection];

	for (; c->first != NONE; c->first = next[c->first])
		return_buffer(c->first);
	if (!c->ended) {
		struct io_uring_sqe *sqe = request();

		io_uring_prep_shutdown(sqe, connection, SHUT_RDWR);
		sqe->flags |= IOSQE_FIXED_FILE;
		sqe->user_data = tag(OTHER, 0, connection);
	}
}

static void accepted(const struct io_uring_cqe *cqe)
{
	check(cqe->res, "accept");
	connections[cqe->res] = (struct connection){ .first = NONE };
	receive(cqe->res);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		accept_connections();
}

static void received(const struct io_uring_cqe *cqe, unsigned connection)
{
	struct connection *c = &connections[connection];

	if (__builtin_expect(cqe->res > 0, 1)) {
		unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

		length[buffer] = cqe->res;
		if (__builtin_expect(!c->sending, 1)) {
			send_buffer(connection, buffer);
		} else {
			next[buffer] = NONE;
			if (c->first == NONE)
				c->first = buffer;
			else
				next[c->last] = buffer;
			c->last = buffer;
		}
	} else if (cqe->res != -ENOBUFS) {
		c->ended = true;
		if (!c->sending)
			close_connection(connection);
		return;
	}
	if (__builtin_expect(!(cqe->flags & IORING_CQE_F_MORE), 0))
		receive(connection);
}

static void sent(const struct io_uring_cqe *cqe, unsigned connection, unsigned buffer)
{
	struct connection *c = &connections[connection];

	return_buffer(buffer);
	c->sending = false;
	if (__builtin_expect(cqe->res != length[buffer], 0))
		give_up(connection);
	if (__builtin_expect(c->first != NONE, 0)) {
		unsigned following = c->first;

		c->first = next[following];
		send_buffer(connection, following);
	} else if (__builtin_expect(c->ended, 0)) {
		close_connection(connection);
	}
}

static void set_up(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 4 * ENTRIES,
	};
	int result;

	check(io_uring_queue_init_params(ENTRIES, &ring, &params), "io_uring_setup");
	check(io_uring_register_ring_fd(&ring), "register the ring");
	check(io_uring_register_files_sparse(&ring, MOST_CONNECTIONS), "register files");
	buffers = io_uring_setup_buf_ring(&ring, BUFFERS, GROUP, 0, &result);
	if (!buffers)
		check(result, "register buffers");
	for (unsigned buffer = 0; buffer < BUFFERS; buffer++)
		return_buffer(buffer);
	io_uring_buf_ring_advance(buffers, returned);
	returned = 0;
}

int main(int argc, char **argv)
{
	open_connections = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	if (open_connections == 0 || open_connections > MOST_CONNECTIONS) {
		fprintf(stderr, "usage: echo_liburing CONNECTIONS, with a TCP listener as standard input\n");
		return 2;
	}
	set_up();
	accept_connections();
	while (open_connections > 0) {
		struct io_uring_cqe *cqe;
		unsigned head, count = 0;
		int result = io_uring_submit_and_wait(&ring, 1);

		if (result != -EINTR)
			check(result, "io_uring_enter");
		io_uring_for_each_cqe(&ring, head, cqe) {
			unsigned connection = cqe->user_data & UINT16_MAX;
			unsigned buffer = cqe->user_data >> 16 & UINT16_MAX;

			switch ((enum kind)(cqe->user_data >> 32)) {
			case RECEIVE:
				received(cqe, connection);
				break;
			case SEND:
				sent(cqe, connection, buffer);
				break;
			case ACCEPT:
				accepted(cqe);
				break;
			case OTHER:
				break;
			}
			count++;
		}
		io_uring_cq_advance(&ring, count);
		if (returned > 0) {
			io_uring_buf_ring_advance(buffers, returned);
			returned = 0;
		}
	}
	/* What was queued last, the closes among it. */
	check(io_uring_submit(&ring), "io_uring_enter");
	return 0;
}
