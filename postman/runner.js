// The small part of Postman's `pm` that the collection uses. `run` executes the script of one request on its answer, and
// gives what became of each test and of the variables.
"use strict";

function expectation(value) {
  const fail = (words) => {
    throw new Error(`expected ${JSON.stringify(value)} ${words}`);
  };
  return {
    to: {
      equal: (other) => value === other || fail(`to equal ${JSON.stringify(other)}`),
      include: (part) => value.includes(part) || fail(`to include ${JSON.stringify(part)}`),
      be: { above: (bound) => value > bound || fail(`to be above ${bound}`) },
    },
  };
}

window.run = function run(script, answer, variables) {
  const tests = [];
  const headers = new Map(answer.headers.map(([name, value]) => [name.toLowerCase(), value]));
  const pm = {
    expect: expectation,
    test(name, body) {
      try {
        body();
        tests.push({ name, passed: true });
      } catch (error) {
        tests.push({ name, passed: false, error: String(error) });
      }
    },
    collectionVariables: {
      get: (name) => variables[name],
      set: (name, value) => {
        variables[name] = value;
      },
    },
    response: {
      code: answer.status,
      text: () => answer.text,
      json: () => JSON.parse(answer.text),
      headers: { get: (name) => headers.get(name.toLowerCase()) },
      to: {
        have: {
          status: (status) => answer.status === status || expectation(answer.status).to.equal(status),
        },
      },
    },
  };
  try {
    new Function("pm", script)(pm);
  } catch (error) {
    tests.push({ name: "the script runs", passed: false, error: String(error) });
  }
  return { tests, variables };
};
