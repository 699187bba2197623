/**
 * Elementary functions of src/base/math.ts against values computed with 40 digits (mpmath), at the documented errors.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cos, erf, exp, log, powInt, roundEven, sin, tanh } from '../src/base/math.ts'

type Point = [x: number, y: number]

/** `scale` is what the error bound of a point is relative to. */
function check(name: string, f: (x: number) => number, bound: number, scale: (y: number) => number, points: Point[]) {
  test(name, () => {
    for (const [x, y] of points) {
      const error = Math.abs(f(x) - y)
      assert.ok(error <= bound * scale(y), `${name}(${x}) = ${f(x)} must be ${y}: error ${error}`)
    }
  })
}

const relative = (y: number) => Math.abs(y)
const absolute = () => 1

check('exp', exp, 4e-16, relative, [
  [0, 1],
  [1e-9, 1.0000000010000000005],
  [0.5, 1.648721270700128146849],
  [1, 2.71828182845904523536],
  [-1, 0.3678794411714423215955],
  [10, 22026.46579480671651696],
  [-30, 9.357622968840174604916e-14],
  [100, 2.688117141816135448413e43],
  [-700, 9.859676543759770856705e-305],
  [709.5, 1.354986319314632830877e308],
])

test('exp: ends of the range', () => {
  // Below 2^-1022 doubles are 2^-1074 apart.
  assert.ok(Math.abs(exp(-740) - 4.188739880048048939458e-322) <= 5e-324)
  assert.is(exp(710), Infinity)
  assert.is(exp(Infinity), Infinity)
  assert.is(exp(-746), 0)
  assert.is(exp(-Infinity), 0)
  assert.ok(Number.isNaN(exp(NaN)))
})

check('log', log, 1e-15, relative, [
  [1, 0],
  [2, 0.6931471805599453094172],
  [0.5, -0.6931471805599453094172],
  [0.7, -0.356674943938732442354],
  [1.0000001, 9.999999505838704517752e-8],
  [3, 1.098612288668109691395],
  [10, 2.302585092994045684018],
  [1e300, 690.7755278982137052579],
  [1e-300, -690.7755278982137051803],
])

test('log: ends of the range', () => {
  assert.is(log(0), -Infinity)
  assert.is(log(Infinity), Infinity)
  assert.ok(Number.isNaN(log(-1)))
  assert.ok(Number.isNaN(log(NaN)))
})

check('sin', sin, 1e-15, absolute, [
  [0, 0],
  [0.5, 0.4794255386042030002733],
  [1, 0.8414709848078965066525],
  [-2, -0.909297426825681695396],
  [3, 0.1411200080598672221007],
  [100, -0.5063656411097587936566],
  [100000.5, -0.4477465716572125957874],
])

check('cos', cos, 1e-15, absolute, [
  [0, 1],
  [0.5, 0.8775825618903727161163],
  [1, 0.5403023058681397174009],
  [-2, -0.4161468365471423869976],
  [3, -0.9899924966004454572716],
  [100, 0.8623188722876839341019],
  [100000.5, -0.8941605043666447842064],
])

check('tanh', tanh, 1e-15, absolute, [
  [0, 0],
  [1e-9, 1.000000000000000061948e-9],
  [0.0005, 0.0004999999583333375104079],
  [0.1, 0.09966799462495582261428],
  [1, 0.7615941559557648881195],
  [-2, -0.9640275800758168839464],
  [10, 0.9999999958776927636196],
  [-400, -1],
])

check('erf', erf, 1e-15, absolute, [
  [0, 0],
  [1e-9, 1.128379167095512643797e-9],
  [0.1, 0.1124629160182848984047],
  [0.5, 0.5204998778130465376827],
  [1, 0.8427007929497148693412],
  [-2, -0.9953222650189527341621],
  [2.9, 0.999958902121900541142],
  [3.1, 0.9999883513426328004107],
  [4, 0.99999998458274209972],
  [-5.5, -0.9999999999999926421521],
  [7, 1],
])

test('odd functions are odd to the bit', () => {
  for (const f of [sin, tanh, erf]) for (const x of [1e-9, 0.1, 0.7, 2.5, 4]) assert.is(f(-x), -f(x))
})

test('powInt is exact where the result is', () => {
  assert.is(powInt(2, 0), 1)
  assert.is(powInt(0, 0), 1)
  assert.is(powInt(3, 5), 243)
  assert.is(powInt(-2, 31), -2147483648)
  assert.is(powInt(2, 1023), 8.98846567431157953865e307)
  assert.is(powInt(0.5, 1074), 5e-324)
})

test('roundEven: ties go to the even neighbour', () => {
  const rounded = [-2.5, -1.5, -0.5, -0.2, 0.5, 1.5, 2.5, 2.4999, 2.5001, 2 ** 50 + 0.5, NaN].map(roundEven)
  assert.equal(rounded, [-2, -2, 0, 0, 0, 2, 2, 2, 3, 2 ** 50, NaN])
})

test.run()
