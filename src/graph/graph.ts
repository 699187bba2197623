/**
 * The graph: typed values in static single assignment, free of any target and of op names.
 * A gradient is another part of the same graph; updates of state are ops that return a new version of it.
 */
import type { DType } from '../base/dtype.ts'
import type { Dim, Shape } from '../base/shape.ts'
import type { Arg } from '../abi.ts'
import type { Builder } from './builder.ts'

export interface Type {
  shape: Shape
  dtype: DType
}

/** `parameter` is trained, `state` changes by updates, `input` comes from the host, `constant` is data of the graph. */
export type Role = 'parameter' | 'state' | 'input' | 'constant' | 'computed'

export interface Value extends Type {
  id: number
  role: Role
  name?: string
  /** The node that computes it, and which of its outputs it is. */
  node?: Node
  output?: number
  /** Constants only. */
  data?: readonly number[]
}

export type Attributes = Readonly<Record<string, number | string | boolean>>

export interface Node {
  op: Op
  /** Optional inputs are null. */
  inputs: readonly (Value | null)[]
  attributes: Attributes
  outputs: Value[]
}

/** A tensor of the float64 interpreter: every dtype as doubles, t2 unpacked to codes -1, 0, 1. */
export interface Tensor {
  shape: number[]
  data: Float64Array
}

/** What `Op.lower` emits into. */
export interface Lowering {
  /** Emits one kernel call. */
  call(family: string, ...args: Arg[]): void
  /** Address of a value, or of a place so many bytes into it; 0 where the optional value is absent. */
  at(value: Value | null | undefined, plus?: number): Arg
  /** Address of scratch memory that lives during this node only. */
  scratch(bytes: Dim): Arg
}

/** One input of a test case: values are drawn by kind, seeded by the case. */
export interface CaseInput {
  shape: number[]
  dtype?: DType
  /** normal(0,1); positive: above 0; lengths: 1..max; ids: 0..max-1; codes: of weights; values: as given. Default normal. */
  kind?: 'normal' | 'positive' | 'lengths' | 'ids' | 'codes' | 'values'
  max?: number
  values?: number[]
  /** False for inputs that take no gradient. Default: f32 inputs take one if the op has a gradient. */
  gradient?: boolean
}

export interface Case {
  name: string
  inputs: (CaseInput | null)[]
  attributes?: Attributes
  /** Largest error of the f32 kernels: max|got - want| over rms(want). Default 1e-5. */
  tolerance?: number
}

/** One operation: everything that is known of it stands in one file of ops/. */
export interface Op {
  name: string
  /** Types of the outputs; throws where the inputs do not fit. */
  infer(inputs: readonly (Value | null)[], attributes: Attributes): Type[]
  /** Float64 reference: fills `outputs`, allocated in the inferred shapes and zeroed (updates: holding the aliased input). */
  reference(inputs: readonly (Tensor | null)[], outputs: Tensor[], attributes: Attributes): void
  /** Gradients of the inputs given those of the outputs (absent: no one uses that output); absent: the op has none. */
  grad?(
    b: Builder,
    node: Node,
    outputs: readonly (Value | undefined)[],
    needs: readonly boolean[],
  ): (Value | undefined)[]
  /** Kernel calls. */
  lower(node: Node, to: Lowering): void
  /** Output i shares the memory of input alias[i]: a view, or (with `updates`) the next version of a state. */
  alias?: Readonly<Record<number, number>>
  updates?: boolean
  /** Multiply-accumulates; data movement is counted from the types. */
  macs?(node: Node): Dim
  /** Test cases: forward and gradient, kernels on all instruction sets. */
  cases: Case[]
}

export interface Graph {
  name: string
  nodes: Node[]
  values: Value[]
  outputs: Map<string, Value>
}
