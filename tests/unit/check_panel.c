/* The panel kernels of every instruction set: against a product in double precision, to the bit
 * against themselves, and next to memory that must not be touched. */
#include <math.h>

#include "tests/unit/kernel_test.h"

/* A product of `rows` rows in n_taps pieces of `depth`, and one panel. */
struct product {
    size_t rows, n_taps, depth, lanes, width;
    struct fenced x, weights, y;
    const float *row[RF_MAX_PANEL_ROWS];
    float *out[RF_MAX_PANEL_ROWS];
    ptrdiff_t tap[4];
};

static void product_init(struct product *p, const struct rf_kernels *k)
{
    const size_t pitch = 3 + random_bits() % 5;

    p->width = k->panel_width;
    p->rows = 1 + random_bits() % k->panel_rows;
    p->lanes = 1 + random_bits() % p->width;
    p->n_taps = 1 + random_bits() % 4;
    p->depth = 1 + random_bits() % 40;
    const size_t span = p->depth + 3 * pitch, n_in = p->n_taps * p->depth;

    p->x = fenced_new((p->rows * pitch + span) * sizeof(float));
    p->weights = fenced_new(n_in * p->width * sizeof(float));
    p->y = fenced_new(p->rows * p->lanes * sizeof(float));
    for (size_t i = 0; i < p->rows * pitch + span; i++)
        ((float *)p->x.data)[i] = random_in(-1, 1);
    for (size_t i = 0; i < n_in * p->width; i++)
        ((float *)p->weights.data)[i] = i % p->width < p->lanes ? random_in(-1, 1) : 0;
    for (size_t t = 0; t < p->n_taps; t++)
        p->tap[t] = (ptrdiff_t)((t * 2 % 4) * pitch);
    for (size_t r = 0; r < p->rows; r++) {
        p->row[r] = (float *)p->x.data + (r * 7 % p->rows) * pitch;
        p->out[r] = (float *)p->y.data + r * p->lanes;
    }
}

static void product_release(struct product *p)
{
    fenced_free(&p->x);
    fenced_free(&p->weights);
    fenced_free(&p->y);
}

static struct rf_panel_tile tile_of(const struct product *p, size_t first, size_t rows)
{
    return (struct rf_panel_tile){.row = p->row + first,
                                  .y = p->out + first,
                                  .rows = rows,
                                  .tap = p->tap,
                                  .n_taps = p->n_taps,
                                  .depth = p->depth,
                                  .weights = p->weights.data,
                                  .lanes = p->lanes,
                                  .ahead = p->weights.data};
}

static void check_product(const struct product *p)
{
    const float *const w = p->weights.data;

    for (size_t r = 0; r < p->rows; r++) {
        for (size_t c = 0; c < p->lanes; c++) {
            double sum = 0, scale = 0;

            for (size_t k = 0; k < p->n_taps * p->depth; k++) {
                const double term =
                    (double)p->row[r][p->tap[k / p->depth] + (ptrdiff_t)(k % p->depth)] *
                    (double)w[k * p->width + c];
                sum += term;
                scale += fabs(term);
            }
            EXPECT(fabs((double)p->out[r][c] - sum) <= 1e-6 * (scale + 1),
                   "row %zu column %zu: %g, expected %g", r, c, (double)p->out[r][c], sum);
        }
    }
}

START_TEST(tiles_match_a_product_in_double)
{
    const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)_i);

    for (int round = 0; k && round < 2000; round++) {
        struct product p;

        product_init(&p, k);
        const struct rf_panel_tile t = tile_of(&p, 0, p.rows);
        k->panel(&t);
        check_product(&p);
        product_release(&p);
    }
}
END_TEST

/* A row's bits are its own: alone in a tile they are the same. */
START_TEST(rows_do_not_depend_on_their_neighbours)
{
    const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)_i);

    for (int round = 0; k && round < 500; round++) {
        struct product p;
        float together[RF_MAX_PANEL_ROWS][64];

        product_init(&p, k);
        const struct rf_panel_tile all = tile_of(&p, 0, p.rows);
        k->panel(&all);
        for (size_t r = 0; r < p.rows; r++)
            memcpy(together[r], p.out[r], p.lanes * sizeof(float));
        for (size_t r = 0; r < p.rows; r++) {
            const struct rf_panel_tile one = tile_of(&p, r, 1);
            k->panel(&one);
            EXPECT(!memcmp(together[r], p.out[r], p.lanes * sizeof(float)), "row %zu differs", r);
        }
        product_release(&p);
    }
}
END_TEST

/* One row and several panels: the bits of a tile's row. */
START_TEST(single_rows_have_the_bits_of_tiles)
{
    const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)_i);

    for (int round = 0; k && round < 500; round++) {
        const size_t depth = 1 + random_bits() % 70, columns = 1 + random_bits() % 300;
        const size_t panels = (columns + k->panel_width - 1) / k->panel_width;
        struct fenced x = fenced_new(depth * sizeof(float));
        struct fenced w = fenced_new(panels * k->panel_width * depth * sizeof(float));
        struct fenced y = fenced_new(columns * sizeof(float));
        float *const want = malloc(columns * sizeof(float));

        for (size_t i = 0; i < depth; i++)
            ((float *)x.data)[i] = random_bits() % 2 ? random_in(-1, 1) : 0;
        for (size_t i = 0; i < panels * k->panel_width * depth; i++)
            ((float *)w.data)[i] = random_in(-1, 1);
        for (size_t p = 0; p < panels; p++) {
            const ptrdiff_t tap = 0;
            const float *const row = x.data;
            float *const out = want + p * k->panel_width;
            const float *const panel = (float *)w.data + p * k->panel_width * depth;
            const size_t rest = columns - p * k->panel_width;
            const struct rf_panel_tile t = {.row = &row,
                                            .y = &out,
                                            .rows = 1,
                                            .tap = &tap,
                                            .n_taps = 1,
                                            .depth = depth,
                                            .weights = panel,
                                            .lanes = rest < k->panel_width ? rest : k->panel_width,
                                            .ahead = panel};
            k->panel(&t);
        }
        const struct rf_panel_row one = {
            .x = x.data, .depth = depth, .weights = w.data, .y = y.data, .columns = columns};
        k->panel_row(&one);
        EXPECT(!memcmp(want, y.data, columns * sizeof(float)), "a row differs");
        free(want);
        fenced_free(&x);
        fenced_free(&w);
        fenced_free(&y);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("panel");
    TCase *const t = tcase_create("panel");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, tiles_match_a_product_in_double, 0, RF_N_ISA);
    tcase_add_loop_test(t, rows_do_not_depend_on_their_neighbours, 0, RF_N_ISA);
    tcase_add_loop_test(t, single_rows_have_the_bits_of_tiles, 0, RF_N_ISA);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
