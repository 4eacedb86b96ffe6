/* Normal numbers from uniform ones by the inverse of the distribution function: one word, one
 * number, so that the word's counter is all that a draw depends on. Rational approximations of
 * Wichura 1988 (algorithm AS 241, the shorter one, about seven digits). */
#include <math.h>

#include "quell/fmath.h"
#include "quell/rng.h"

/* Values at x of polynomials over polynomials, lowest power first; the second begins with 1. */
typedef struct {
    double over[4], under[4];
} rational;

static const rational middle = {
    {3.3871327179, 50.434271938, 159.29113202, 59.109374720},
    {1, 17.895169469, 78.757757664, 67.187563600},
};
static const rational side = {
    {1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103},
    {1, 0.73700164250, 0.12021132975, 0},
};
static const rational tail = {
    {6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997},
    {1, 0.24197894225, 0.012258202635, 0},
};

static double value_of(const rational *r, double x)
{
    double over = ((r->over[3] * x + r->over[2]) * x + r->over[1]) * x + r->over[0];
    double under = ((r->under[3] * x + r->under[2]) * x + r->under[1]) * x + r->under[0];
    return over / under;
}

double ql_rng_normal(uint32_t word)
{
    const double u = ((double)word + 0.5) * 0x1p-32, q = u - 0.5;
    if (q >= -0.425 && q <= 0.425) return q * value_of(&middle, 0.180625 - q * q);
    double r = sqrt(-ql_log(q < 0 ? u : 1 - u));
    double x = r <= 5 ? value_of(&side, r - 1.6) : value_of(&tail, r - 5);
    return q < 0 ? -x : x;
}
