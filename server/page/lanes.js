// Where the steps of a network stand: one below the other, in lanes. A value keeps its lane until its last reader.

const MOVES = ["rectifier.ToNHWC", "rectifier.ToRowMajor"]; // the same numbers in another order

// The metadata's inputs, the steps of /graph and the outputs, to [{step, lane, from: [row]}]; `row` is a place in that list.
export function lay(graph, { inputs, outputs }) {
  const same = new Map(); // value -> the value that it is a copy of
  const real = (id) => same.get(id) ?? id;
  const steps = [];
  for (const step of graph.steps) {
    if (MOVES.includes(step.path)) same.set(step.outputs[0], real(step.inputs[0]));
    else steps.push({ kind: "step", ...step, inputs: step.inputs.map(real) });
  }
  return place([
    ...graph.inputs.map((id, i) => ({ kind: "input", ...inputs[i], inputs: [], outputs: [id] })),
    ...steps,
    ...graph.outputs.map((id, i) => ({ kind: "output", ...outputs[i], inputs: [real(id)], outputs: [] })),
  ]);
}

function place(steps) {
  const uses = new Map();
  for (const step of steps) for (const id of step.inputs) uses.set(id, (uses.get(id) ?? 0) + 1);
  const lanes = []; // lane -> the value in it, or null
  const maker = new Map(), laneOf = new Map();
  const rows = steps.map((step, row) => {
    const from = step.inputs.filter((id) => maker.has(id));
    for (const id of from) {
      uses.set(id, uses.get(id) - 1);
      if (uses.get(id) === 0) lanes[laneOf.get(id)] = null;
    }
    const mine = from.map((id) => laneOf.get(id)).filter((lane) => lanes[lane] === null);
    let lane = mine.length ? Math.min(...mine) : lanes.findIndex((id) => id === null);
    if (lane < 0) lane = lanes.length;
    for (const id of step.outputs.filter((o) => uses.get(o))) {
      let at = lane;
      while (lanes[at] !== null && lanes[at] !== undefined) at++;
      lanes[at] = id;
      laneOf.set(id, at);
      maker.set(id, row);
    }
    if (lanes[lane] === undefined) lanes[lane] = null;
    return { step, lane, from: from.map((id) => ({ row: maker.get(id), lane: laneOf.get(id) })) };
  });
  return { rows, lanes: Math.max(1, lanes.length) };
}
