/* GET /v2/models/{model}/activity/novel.npy */
#include "server/control.h"
#include "server/handlers.h"
#include "server/models.h"

enum srv_next srv_handle_novel(struct srv_server *server, struct srv_request *r)
{
    struct srv_model *m = srv_find_model(server, r);
    if (!m || !srv_may_control(r, "the inputs that were kept are shown"))
        return SRV_REPLY;
    if (m->novel.most == 0) {
        srv_reply_error(r, 404, "no inputs are kept: start the server with --novel-inputs K");
    } else if (!srv_novel_npy(&r->reply.body, &m->novel)) {
        srv_reply_error(r, 404,
                        "no input was kept yet: that takes a baseline, and requests of one "
                        "row or with \"novelty\"");
    } else {
        srv_reply_json(r, 200);
        if (r->reply.status == 200)
            r->reply.type = "application/x-npy";
    }
    return SRV_REPLY;
}
