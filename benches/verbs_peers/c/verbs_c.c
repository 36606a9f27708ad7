/*
 * Posts and polls by libibverbs' own functions, as a program in C that trusts itself does. The floor for everything that
 * goes by ibv_post_send, ibv_post_recv and ibv_poll_cq.
 *
 * usage: verbs_c send|write|recv|selective|batch COUNT
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#define BATCH 16
#define BYTES 64

static struct ibv_qp *qp;
static struct ibv_cq *cq;
static struct ibv_mr *mr;
static char memory[BATCH][BYTES];

static void poll_for(int count)
{
	struct ibv_wc wc[BATCH];

	while (count > 0) {
		int found = ibv_poll_cq(cq, BATCH, wc);

		if (found < 0)
			errx(1, "ibv_poll_cq");
		for (int i = 0; i < found; i++)
			if (wc[i].status != IBV_WC_SUCCESS)
				errx(1, "%s", ibv_wc_status_str(wc[i].status));
		count -= found;
	}
}

static void post(enum ibv_wr_opcode opcode, int signalled)
{
	struct ibv_sge sge = { .addr = (uintptr_t)memory[0], .length = BYTES, .lkey = mr->lkey };
	struct ibv_send_wr wr = {
		.wr_id = 1,
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = opcode,
		.send_flags = signalled ? IBV_SEND_SIGNALED : 0,
		.wr.rdma = { .remote_addr = 4096, .rkey = 2 },
	};
	struct ibv_send_wr *bad;

	if (ibv_post_send(qp, &wr, &bad))
		errx(1, "ibv_post_send");
}

static void send_one(void)
{
	post(IBV_WR_SEND, 1);
	poll_for(1);
}

static void write_one(void)
{
	post(IBV_WR_RDMA_WRITE, 1);
	poll_for(1);
}

static void receive_one(void)
{
	struct ibv_sge sge = { .addr = (uintptr_t)memory[0], .length = BYTES, .lkey = mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = 1, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	if (ibv_post_recv(qp, &wr, &bad))
		errx(1, "ibv_post_recv");
	poll_for(1);
}

/* Of sixteen sends, each posted by itself, the last is signalled. */
static void selective(void)
{
	for (int i = 1; i <= BATCH; i++)
		post(IBV_WR_SEND, i == BATCH);
	poll_for(1);
}

/* Sixteen sends with one call, each signalled. */
static void batch(void)
{
	struct ibv_sge sge[BATCH];
	struct ibv_send_wr wr[BATCH], *bad;

	for (int i = 0; i < BATCH; i++) {
		sge[i] = (struct ibv_sge){ .addr = (uintptr_t)memory[i], .length = BYTES, .lkey = mr->lkey };
		wr[i] = (struct ibv_send_wr){
			.wr_id = i,
			.next = i + 1 < BATCH ? &wr[i + 1] : NULL,
			.sg_list = &sge[i],
			.num_sge = 1,
			.opcode = IBV_WR_SEND,
			.send_flags = IBV_SEND_SIGNALED,
		};
	}
	if (ibv_post_send(qp, wr, &bad))
		errx(1, "ibv_post_send");
	poll_for(BATCH);
}

static const struct variant {
	const char *name;
	void (*run)(void);
	long each;
} variants[] = {
	{ "send", send_one, 1 },
	{ "write", write_one, 1 },
	{ "recv", receive_one, 1 },
	{ "selective", selective, BATCH },
	{ "batch", batch, BATCH },
};

static void step(int state)
{
	struct ibv_qp_attr attr = { .qp_state = state, .port_num = 1 };

	if (ibv_modify_qp(qp, &attr, IBV_QP_STATE))
		errx(1, "ibv_modify_qp");
}

int main(int argc, char **argv)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_context *context = devices ? ibv_open_device(devices[0]) : NULL;
	struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RC, .cap = { 64, 64, 1, 1, 0 } };

	if (argc != 3 || !pd)
		errx(2, "usage: verbs_c send|write|recv|selective|batch COUNT, with a device");
	mr = ibv_reg_mr(pd, memory, sizeof memory, IBV_ACCESS_LOCAL_WRITE);
	cq = ibv_create_cq(context, 128, NULL, NULL, 0);
	attr.send_cq = attr.recv_cq = cq;
	qp = mr && cq ? ibv_create_qp(pd, &attr) : NULL;
	if (!qp)
		errx(1, "no queue pair");
	step(IBV_QPS_INIT);
	step(IBV_QPS_RTR);
	step(IBV_QPS_RTS);
	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
		if (strcmp(variants[i].name, argv[1]))
			continue;
		for (long left = atol(argv[2]); left > 0; left -= variants[i].each)
			variants[i].run();
		return 0;
	}
	errx(2, "no variant %s", argv[1]);
}
