"""JSON Schema for tools: made from type hints, and checked against what the model sends.

`check` knows JSON Schema and no types; `types` turns a type hint into a schema and a
conversion; `docstring` finds the descriptions; `signature` puts them together for a
function; `function_tool` is what tools and handoffs share. All of it is private:
`realtime_actors.tools` is what it is for.
"""
