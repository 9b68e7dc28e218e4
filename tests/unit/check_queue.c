/* The order in which a model's jobs are computed, and which of them share a run. */
#include <check.h>
#include <stdlib.h>

/* Pure functions; their object is not in a library. */
#include "server/queue.c"

#define MAX 8
#define NEVER UINT64_MAX

static struct srv_waiting jobs[64];
static struct rf_tensor inputs[64];
static struct srv_queue queue;

static void begin(int64_t max_batch)
{
    queue = (struct srv_queue){.max_batch = max_batch};
}

/* Job `i`, of [rows, width], came at time i. */
static struct srv_waiting *make(size_t i, int64_t rows, int64_t width, uint64_t priority,
                                uint64_t deadline)
{
    inputs[i] = (struct rf_tensor){.shape = {.rank = 2, .dim = {rows, width}}};
    jobs[i] = (struct srv_waiting){.arrival_ns = i,
                                   .deadline_ns = deadline,
                                   .priority = priority,
                                   .rows = rows,
                                   .inputs = &inputs[i],
                                   .n_inputs = 1};
    return &jobs[i];
}

static void add(size_t i, int64_t rows, int64_t width, uint64_t priority, uint64_t deadline)
{
    srv_queue_insert(&queue, make(i, rows, width, priority, deadline));
}

/* The next batch is these jobs, in this order; -1 ends the list. */
static void expect(const int *want)
{
    const struct srv_waiting *w = srv_queue_take_batch(&queue);
    for (; *want >= 0; want++, w = w->next) {
        ck_assert_ptr_nonnull(w);
        ck_assert_int_eq(w - jobs, *want);
    }
    ck_assert_ptr_null(w);
}
#define EXPECT(...) expect((const int[]){__VA_ARGS__, -1})

static void expect_end(void)
{
    ck_assert_ptr_null(srv_queue_take_batch(&queue));
    ck_assert(srv_queue_is_empty(&queue));
    ck_assert_int_eq(queue.ready_rows, 0);
    ck_assert_ptr_null(queue.ready.last);
}

START_TEST(arrivals_leave_in_their_order)
{
    begin(MAX);
    for (size_t i = 0; i < 5; i++)
        srv_queue_arrive(&queue, make(i, 1, 4, 0, NEVER));
    ck_assert(!srv_queue_is_empty(&queue));
    ck_assert_ptr_null(srv_queue_take_batch(&queue));
    for (size_t i = 0; i < 5; i++)
        ck_assert_ptr_eq(srv_queue_take_arrived(&queue), &jobs[i]);
    ck_assert_ptr_null(srv_queue_take_arrived(&queue));
    ck_assert(srv_queue_is_empty(&queue));
}
END_TEST

/* Priority 1 first, none last; then deadlines; then who came first. */
START_TEST(order)
{
    begin(1);
    add(0, 1, 4, 0, 50);
    add(1, 1, 4, 2, 90);
    add(2, 1, 4, 1, 99);
    add(3, 1, 4, 2, 80);
    add(5, 1, 4, 0, 40);
    add(4, 1, 4, 0, 40);
    add(6, 1, 4, UINT64_MAX, 10);
    EXPECT(2);
    EXPECT(3);
    EXPECT(1);
    EXPECT(6);
    EXPECT(4);
    EXPECT(5);
    EXPECT(0);
    expect_end();
}
END_TEST

START_TEST(rows_fill_a_batch)
{
    begin(MAX);
    for (size_t i = 0; i < 10; i++)
        add(i, 3, 4, 0, i);
    EXPECT(0, 1);
    add(20, 2, 4, 0, 99); /* fills what is left by 2 and 3 */
    EXPECT(2, 3, 20);
    add(21, 8, 4, 1, 99);
    EXPECT(21);
    EXPECT(4, 5);
    EXPECT(6, 7);
    EXPECT(8, 9);
    expect_end();
}
END_TEST

START_TEST(other_shapes_wait_for_their_turn)
{
    begin(MAX);
    for (size_t i = 0; i < 6; i++)
        add(i, 1, i % 2 ? 5 : 4, 0, i);
    EXPECT(0, 2, 4);
    EXPECT(1, 3, 5);
    expect_end();
}
END_TEST

/* More rows than a run takes, and no rows to share, are taken alone, in their turn. */
START_TEST(alone)
{
    begin(MAX);
    add(0, 1, 4, 0, 0);
    add(1, 20, 4, 0, 1);
    add(2, 0, 4, 0, 2);
    add(3, 1, 4, 0, 3);
    EXPECT(0, 3);
    EXPECT(1);
    EXPECT(2);
    expect_end();
    begin(0); /* a model that does not batch */
    add(0, 0, 4, 0, 0);
    add(1, 0, 4, 0, 1);
    EXPECT(0);
    EXPECT(1);
    expect_end();
}
END_TEST

/* A large one is passed by those that fit where it does not, but only until it is the first. */
START_TEST(large_ones_do_not_starve)
{
    size_t next = 2;
    begin(MAX);
    add(0, 1, 4, 0, 0);
    add(1, 8, 4, 0, 1);
    for (; next < 12; next++)
        add(next, 1, 4, 0, next);
    EXPECT(0, 2, 3, 4, 5, 6, 7, 8);
    EXPECT(1);
    EXPECT(9, 10, 11);
    expect_end();
}
END_TEST

START_TEST(every_input_counts)
{
    struct rf_tensor two[3][2];
    begin(MAX);
    for (size_t i = 0; i < 3; i++) {
        add(i, 1, 4, 0, i);
        queue.ready.last->inputs = two[i];
        queue.ready.last->n_inputs = 2;
        two[i][0] = two[i][1] = inputs[i];
    }
    two[1][1].shape.dim[1] = 5;
    EXPECT(0, 2);
    EXPECT(1);
    expect_end();
}
END_TEST

START_TEST(patience)
{
    begin(MAX);
    add(7, 1, 4, 0, NEVER);
    add(5, 1, 4, 0, NEVER);
    ck_assert_uint_eq(srv_queue_ripe(&queue, 0), 0);
    ck_assert_uint_eq(srv_queue_ripe(&queue, 100), 105);
    ck_assert_uint_eq(srv_queue_ripe(&queue, UINT64_MAX), UINT64_MAX);
    add(9, 6, 4, 0, NEVER); /* full */
    ck_assert_uint_eq(srv_queue_ripe(&queue, 100), 0);
    begin(MAX);
    add(3, 0, 4, 0, NEVER); /* nobody can join it */
    ck_assert_uint_eq(srv_queue_ripe(&queue, 100), 0);
}
END_TEST

static bool is_late(const struct srv_waiting *w, uint64_t now)
{
    return now > w->deadline_ns;
}

START_TEST(expiry)
{
    size_t n = 0;
    begin(MAX);
    for (size_t i = 0; i < 6; i++)
        add(i, 1, 4, 0, 10 * i);
    srv_queue_arrive(&queue, make(6, 0, 4, 0, 20));
    srv_queue_arrive(&queue, make(7, 0, 4, 0, 90));
    ck_assert_ptr_null(srv_queue_drop(&queue, is_late, 0));
    for (const struct srv_waiting *w = srv_queue_drop(&queue, is_late, 25); w; w = w->next, n++)
        ck_assert_uint_lt(w->deadline_ns, 25);
    ck_assert_uint_eq(n, 4);
    ck_assert_int_eq(queue.ready_rows, 3);
    ck_assert_ptr_eq(srv_queue_take_arrived(&queue), &jobs[7]);
    EXPECT(3, 4, 5);
    expect_end();
}
END_TEST

/* Random jobs in and out: none is lost, and no batch is too large or of two shapes. */
START_TEST(conservation)
{
    size_t in = 0, out = 0;
    bool inside[64] = {false};
    srand((unsigned)_i);
    begin(MAX);
    for (int step = 0; step < 2000; step++) {
        const size_t i = (size_t)rand() % 64;
        if (!inside[i] && rand() % 3) {
            add(i, rand() % 10, 4 + rand() % 2, (uint64_t)(rand() % 3), (uint64_t)(rand() % 50));
            inside[i] = true;
            in++;
            continue;
        }
        int64_t rows = 0, width = -1;
        size_t n = 0;
        for (const struct srv_waiting *w = srv_queue_take_batch(&queue); w; w = w->next, n++) {
            ck_assert(inside[w - jobs]);
            inside[w - jobs] = false;
            ck_assert(width == -1 || width == w->inputs[0].shape.dim[1]);
            width = w->inputs[0].shape.dim[1];
            rows += w->rows;
        }
        out += n;
        ck_assert(n <= 1 || rows <= MAX);
    }
    while (srv_queue_take_batch(&queue))
        ;
    expect_end();
    ck_assert_uint_ge(in, 200);
    ck_assert_uint_le(in - out, 64);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, arrivals_leave_in_their_order);
    tcase_add_test(tests, order);
    tcase_add_test(tests, rows_fill_a_batch);
    tcase_add_test(tests, other_shapes_wait_for_their_turn);
    tcase_add_test(tests, alone);
    tcase_add_test(tests, large_ones_do_not_starve);
    tcase_add_test(tests, every_input_counts);
    tcase_add_test(tests, patience);
    tcase_add_test(tests, expiry);
    tcase_add_loop_test(tests, conservation, 0, 20);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
