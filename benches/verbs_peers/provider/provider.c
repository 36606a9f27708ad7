/*
 * A stand-in for libibverbs.so.1 with one device that does its work at once, and as little of it as can be: what is
 * left of a program's instructions is the program's own. Every side of a comparison goes through the same functions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#undef ibv_get_device_list
#undef ibv_query_port
#undef ibv_reg_mr

#define EXPORT __attribute__((visibility("default")))

/* More than anybody here has in flight. */
#define ROOM 1024

struct entry {
	uint64_t wr_id;
	enum ibv_wc_opcode opcode;
	uint32_t byte_len;
	uint32_t qp_num;
};

struct cq {
	struct ibv_cq_ex ex;
	uint32_t head;
	uint32_t tail;
	struct entry entries[ROOM];
};

struct qp {
	struct ibv_qp_ex ex;
	/* What the extended interface has begun. */
	struct entry begun[64];
	uint32_t begun_count;
};

struct srq {
	struct ibv_srq srq;
	/* Where its receives complete: with the queue pair made last. */
	struct ibv_qp *qp;
};

static void complete(struct ibv_cq *to, uint64_t wr_id, enum ibv_wc_opcode opcode, uint32_t byte_len, uint32_t qp_num)
{
	struct cq *cq = (struct cq *)to;
	struct entry *entry = &cq->entries[cq->head++ % ROOM];

	entry->wr_id = wr_id;
	entry->opcode = opcode;
	entry->byte_len = byte_len;
	entry->qp_num = qp_num;
}

static enum ibv_wc_opcode completed_as(enum ibv_wr_opcode opcode)
{
	switch (opcode) {
	case IBV_WR_RDMA_WRITE:
	case IBV_WR_RDMA_WRITE_WITH_IMM:
		return IBV_WC_RDMA_WRITE;
	case IBV_WR_RDMA_READ:
		return IBV_WC_RDMA_READ;
	default:
		return IBV_WC_SEND;
	}
}

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr)
{
	(void)bad_wr;
	for (; wr; wr = wr->next)
		if (wr->send_flags & IBV_SEND_SIGNALED)
			complete(qp->send_cq, wr->wr_id, completed_as(wr->opcode), 0, qp->qp_num);
	return 0;
}

static int post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	(void)bad_wr;
	for (; wr; wr = wr->next)
		complete(qp->recv_cq, wr->wr_id, IBV_WC_RECV, wr->sg_list->length, qp->qp_num);
	return 0;
}

static int post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	return post_recv(((struct srq *)srq)->qp, wr, bad_wr);
}

static int poll_cq(struct ibv_cq *from, int count, struct ibv_wc *wc)
{
	struct cq *cq = (struct cq *)from;
	int found = 0;

	for (; found < count && cq->tail != cq->head; found++, wc++) {
		struct entry *entry = &cq->entries[cq->tail++ % ROOM];

		wc->wr_id = entry->wr_id;
		wc->status = IBV_WC_SUCCESS;
		wc->opcode = entry->opcode;
		wc->byte_len = entry->byte_len;
		wc->qp_num = entry->qp_num;
		wc->wc_flags = 0;
	}
	return found;
}

static int req_notify_cq(struct ibv_cq *cq, int solicited_only)
{
	(void)cq;
	(void)solicited_only;
	return 0;
}

/* The same by the extended interface. */

static void wr_start(struct ibv_qp_ex *ex)
{
	((struct qp *)ex)->begun_count = 0;
}

static void begin(struct ibv_qp_ex *ex, enum ibv_wc_opcode opcode)
{
	struct qp *qp = (struct qp *)ex;
	struct entry *entry;

	if (!(ex->wr_flags & IBV_SEND_SIGNALED))
		return;
	entry = &qp->begun[qp->begun_count++];
	entry->wr_id = ex->wr_id;
	entry->opcode = opcode;
}

static void wr_send(struct ibv_qp_ex *ex)
{
	begin(ex, IBV_WC_SEND);
}

static void wr_rdma_write(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t addr)
{
	(void)rkey;
	(void)addr;
	begin(ex, IBV_WC_RDMA_WRITE);
}

static void wr_set_sge(struct ibv_qp_ex *ex, uint32_t lkey, uint64_t addr, uint32_t length)
{
	(void)ex;
	(void)lkey;
	(void)addr;
	(void)length;
}

static int wr_complete(struct ibv_qp_ex *ex)
{
	struct qp *qp = (struct qp *)ex;

	for (uint32_t i = 0; i < qp->begun_count; i++)
		complete(ex->qp_base.send_cq, qp->begun[i].wr_id, qp->begun[i].opcode, 0, ex->qp_base.qp_num);
	return 0;
}

static void wr_abort(struct ibv_qp_ex *ex)
{
	((struct qp *)ex)->begun_count = 0;
}

static int next_poll(struct ibv_cq_ex *ex)
{
	struct cq *cq = (struct cq *)ex;
	struct entry *entry;

	if (cq->tail == cq->head)
		return ENOENT;
	entry = &cq->entries[cq->tail++ % ROOM];
	ex->wr_id = entry->wr_id;
	ex->status = IBV_WC_SUCCESS;
	return 0;
}

static int start_poll(struct ibv_cq_ex *ex, struct ibv_poll_cq_attr *attr)
{
	(void)attr;
	return next_poll(ex);
}

static void end_poll(struct ibv_cq_ex *ex)
{
	(void)ex;
}

/* Making things, which is not counted. */

static void *zeroed(size_t size)
{
	void *made = calloc(1, size);

	if (!made)
		abort();
	return made;
}

static struct ibv_cq_ex *create_cq_ex(struct ibv_context *context, struct ibv_cq_init_attr_ex *attr)
{
	struct cq *cq = zeroed(sizeof *cq);

	if (attr->cqe > ROOM) {
		free(cq);
		errno = EINVAL;
		return NULL;
	}
	cq->ex.context = context;
	cq->ex.channel = attr->channel;
	cq->ex.cq_context = attr->cq_context;
	cq->ex.cqe = attr->cqe;
	cq->ex.start_poll = start_poll;
	cq->ex.next_poll = next_poll;
	cq->ex.end_poll = end_poll;
	return &cq->ex;
}

static struct ibv_qp *create_qp_ex(struct ibv_context *context, struct ibv_qp_init_attr_ex *attr)
{
	struct qp *qp = zeroed(sizeof *qp);
	struct ibv_qp *base = &qp->ex.qp_base;

	base->context = context;
	base->qp_context = attr->qp_context;
	base->pd = attr->pd;
	base->send_cq = attr->send_cq;
	base->recv_cq = attr->recv_cq;
	base->srq = attr->srq;
	base->qp_type = attr->qp_type;
	base->qp_num = 17;
	if (attr->srq)
		((struct srq *)attr->srq)->qp = base;
	qp->ex.wr_start = wr_start;
	qp->ex.wr_send = wr_send;
	qp->ex.wr_rdma_write = wr_rdma_write;
	qp->ex.wr_set_sge = wr_set_sge;
	qp->ex.wr_complete = wr_complete;
	qp->ex.wr_abort = wr_abort;
	return base;
}

static int query_port(struct ibv_context *context, uint8_t port, struct ibv_port_attr *attr, size_t size)
{
	struct ibv_port_attr all = {
		.state = IBV_PORT_ACTIVE,
		.max_mtu = IBV_MTU_4096,
		.active_mtu = IBV_MTU_1024,
		.max_msg_sz = 1 << 23,
		.gid_tbl_len = 1,
		.pkey_tbl_len = 1,
		.link_layer = IBV_LINK_LAYER_ETHERNET,
	};

	(void)context;
	(void)port;
	memcpy(attr, &all, size < sizeof all ? size : sizeof all);
	return 0;
}

static int query_device_ex(struct ibv_context *context, const struct ibv_query_device_ex_input *input,
			   struct ibv_device_attr_ex *attr, size_t size)
{
	(void)context;
	(void)input;
	memset(attr, 0, size);
	return ibv_query_device(context, &attr->orig_attr);
}

static struct ibv_device device = {
	.node_type = IBV_NODE_CA,
	.transport_type = IBV_TRANSPORT_IB,
	.name = "fake0",
	.dev_name = "uverbs0",
};

EXPORT struct ibv_device **ibv_get_device_list(int *count)
{
	struct ibv_device **list = zeroed(2 * sizeof *list);

	list[0] = &device;
	if (count)
		*count = 1;
	return list;
}

EXPORT void ibv_free_device_list(struct ibv_device **list)
{
	free(list);
}

EXPORT const char *ibv_get_device_name(struct ibv_device *of)
{
	return of->name;
}

EXPORT __be64 ibv_get_device_guid(struct ibv_device *of)
{
	(void)of;
	return 1;
}

EXPORT struct ibv_context *ibv_open_device(struct ibv_device *of)
{
	struct verbs_context *extended = zeroed(sizeof *extended);
	struct ibv_context *context = &extended->context;

	extended->sz = sizeof *extended;
	extended->create_cq_ex = create_cq_ex;
	extended->create_qp_ex = create_qp_ex;
	extended->query_port = query_port;
	extended->query_device_ex = query_device_ex;
	context->device = of;
	context->abi_compat = __VERBS_ABI_IS_EXTENDED;
	context->num_comp_vectors = 1;
	context->ops.poll_cq = poll_cq;
	context->ops.req_notify_cq = req_notify_cq;
	context->ops.post_send = post_send;
	context->ops.post_recv = post_recv;
	context->ops.post_srq_recv = post_srq_recv;
	return context;
}

EXPORT int ibv_close_device(struct ibv_context *context)
{
	free(verbs_get_ctx(context));
	return 0;
}

EXPORT int ibv_query_device(struct ibv_context *context, struct ibv_device_attr *attr)
{
	(void)context;
	memset(attr, 0, sizeof *attr);
	attr->max_qp = 1;
	attr->max_qp_wr = ROOM;
	attr->max_sge = 1;
	attr->max_cq = 1;
	attr->max_cqe = ROOM;
	attr->phys_port_cnt = 1;
	return 0;
}

/* This symbol fills the older, shorter struct, which ends before the flags. */
EXPORT int ibv_query_port(struct ibv_context *context, uint8_t port, struct _compat_ibv_port_attr *attr)
{
	return query_port(context, port, (struct ibv_port_attr *)attr, offsetof(struct ibv_port_attr, flags));
}

EXPORT int _ibv_query_gid_ex(struct ibv_context *context, uint32_t port, uint32_t index, struct ibv_gid_entry *entry,
			     uint32_t flags, size_t size)
{
	static const uint8_t gid[16] = { [10] = 0xff, 0xff, 10, 0, 0, 1 };

	(void)context;
	(void)flags;
	memset(entry, 0, size);
	memcpy(entry->gid.raw, gid, sizeof gid);
	entry->gid_index = index;
	entry->port_num = port;
	entry->gid_type = IBV_GID_TYPE_ROCE_V2;
	return 0;
}

EXPORT ssize_t _ibv_query_gid_table(struct ibv_context *context, struct ibv_gid_entry *entries, size_t max,
				    uint32_t flags, size_t size)
{
	return max ? (_ibv_query_gid_ex(context, 1, 0, entries, flags, size), 1) : 0;
}

EXPORT struct ibv_pd *ibv_alloc_pd(struct ibv_context *context)
{
	struct ibv_pd *pd = zeroed(sizeof *pd);

	pd->context = context;
	return pd;
}

EXPORT int ibv_dealloc_pd(struct ibv_pd *pd)
{
	free(pd);
	return 0;
}

EXPORT struct ibv_mr *ibv_reg_mr(struct ibv_pd *pd, void *addr, size_t length, int access)
{
	struct ibv_mr *mr = zeroed(sizeof *mr);

	(void)access;
	mr->context = pd->context;
	mr->pd = pd;
	mr->addr = addr;
	mr->length = length;
	mr->lkey = mr->rkey = 1;
	return mr;
}

EXPORT struct ibv_mr *ibv_reg_mr_iova2(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				       unsigned int access)
{
	(void)iova;
	return ibv_reg_mr(pd, addr, length, access);
}

EXPORT int ibv_dereg_mr(struct ibv_mr *mr)
{
	free(mr);
	return 0;
}

EXPORT struct ibv_cq *ibv_create_cq(struct ibv_context *context, int cqe, void *cq_context,
				    struct ibv_comp_channel *channel, int comp_vector)
{
	struct ibv_cq_init_attr_ex attr = { .cqe = cqe, .cq_context = cq_context, .channel = channel };

	(void)comp_vector;
	return (struct ibv_cq *)create_cq_ex(context, &attr);
}

EXPORT int ibv_destroy_cq(struct ibv_cq *cq)
{
	free(cq);
	return 0;
}

EXPORT struct ibv_srq *ibv_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attr)
{
	struct srq *srq = zeroed(sizeof *srq);

	(void)attr;
	srq->srq.context = pd->context;
	srq->srq.pd = pd;
	return &srq->srq;
}

EXPORT int ibv_destroy_srq(struct ibv_srq *srq)
{
	free(srq);
	return 0;
}

EXPORT struct ibv_qp *ibv_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
	struct ibv_qp_init_attr_ex extended = {
		.qp_context = attr->qp_context,
		.send_cq = attr->send_cq,
		.recv_cq = attr->recv_cq,
		.srq = attr->srq,
		.qp_type = attr->qp_type,
		.pd = pd,
	};

	return create_qp_ex(pd->context, &extended);
}

EXPORT struct ibv_qp_ex *ibv_qp_to_qp_ex(struct ibv_qp *qp)
{
	return (struct ibv_qp_ex *)qp;
}

EXPORT int ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask)
{
	(void)mask;
	qp->state = attr->qp_state;
	return 0;
}

EXPORT int ibv_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask, struct ibv_qp_init_attr *init)
{
	(void)mask;
	memset(attr, 0, sizeof *attr);
	memset(init, 0, sizeof *init);
	attr->qp_state = qp->state;
	return 0;
}

EXPORT int ibv_destroy_qp(struct ibv_qp *qp)
{
	free(qp);
	return 0;
}

EXPORT struct ibv_ah *ibv_create_ah(struct ibv_pd *pd, struct ibv_ah_attr *attr)
{
	struct ibv_ah *ah = zeroed(sizeof *ah);

	(void)attr;
	ah->context = pd->context;
	ah->pd = pd;
	return ah;
}

EXPORT int ibv_destroy_ah(struct ibv_ah *ah)
{
	free(ah);
	return 0;
}
