/* Squared error of a scaled input, which is 0 where there is no count; no link, no size factor, and
 * hence none of the loops of lik_common.h. */
static void gaussian_sweep(const ql_lik_args *args)
{
    for (int64_t g = 0; g < args->n; g++) {
        for (int64_t j = 0; j < args->ld; j += VL) {
            ql_real *at = args->mean + g * args->ld + j, *loss = args->loss + j;
            vf a = v_load(at);
            v_store(loss, v_fma(a, a, v_load(loss)));
            v_store(at, v_mul(v_load(args->weight + j), v_add(a, a)));
        }
    }
}

static void gaussian_list(const ql_lik_args *args)
{
    for (int64_t i = 0; i < args->n; i += VL) {
        vf a = v_load(args->mean + i), y = v_load(args->count + i), d = v_sub(a, y);
        v_store(args->loss + i, v_mul(y, v_sub(v_sub(y, a), a)));
        v_store(args->mean + i, v_mul(v_load(args->weight + i), v_add(d, d)));
    }
}

static void gaussian_link(const ql_lik_args *args)
{
    (void)args;
}
