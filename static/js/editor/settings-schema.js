/**
 * A node's settings seen through their JSON Schema: which fields to show, what is wrong with their values.
 *
 * Reads what pydantic writes: objects, `$ref` into `$defs`, `anyOf` with null, and `oneOf` with a discriminator.
 * The server checks the same and has the last word; this only says it sooner. Pure.
 */
import { shortValue } from "./wording.js";

/**
 * @typedef {{name: string, title: string, schema: object, ui: object, required: boolean, nullable: boolean}} Field
 * @typedef {{field: string, message: string}} FieldProblem
 */

/** The kinds a node can be of (`oneOf` with a discriminator), or null when it has only one. */
export function kindsOf(schema) {
  const name = schema.discriminator?.propertyName;
  if (!schema.oneOf || !name) return null;
  const options = schema.oneOf.map((variant) => {
    const resolved = resolve(variant, schema);
    const tag = resolve(resolved.properties[name], schema);
    const value = tag.const ?? tag.enum?.[0] ?? tag.default;
    return { value, title: titleOfKind(resolved, tag, name) ?? titleOf(String(value)), description: resolved.description };
  });
  return { name, options };
}

/** The hints of the settings as a whole, such as the panel beside their form. */
export function panelHints(schema, settings) {
  return variantOf(schema, settings)?.ui ?? {};
}

/** @returns {Field[]} the fields that settings of this shape have, hidden ones left out */
export function fieldsFor(schema, settings) {
  return allFields(schema, settings).filter((field, _index, all) => isVisible(field, settings, all));
}

/** The settings with the kind filled in that an older document may leave out. */
export function effectiveSettings(type, settings) {
  const kind = type.settings.discriminator?.propertyName;
  return kind && settings[kind] === undefined ? { [kind]: type.defaults[kind], ...settings } : settings;
}

/** What counts where settings say nothing: the defaults of their kind. */
export function leftOut(type, settings) {
  const current = effectiveSettings(type, settings);
  const kind = kindsOf(type.settings)?.name;
  const known = allFields(type.settings, current).filter((field) => field.schema.default !== undefined);
  const tag = kind && variantOf(type.settings, current) ? { [kind]: current[kind] } : {};
  return { ...tag, ...Object.fromEntries(known.map((field) => [field.name, field.schema.default])) };
}

/** Names of settings that this kind of node does not know: left by an upgrade, and kept until somebody removes them. */
export function unknownSettings(type, settings) {
  const current = effectiveSettings(type, settings);
  const known = new Set([kindsOf(type.settings)?.name, ...allFields(type.settings, current).map((field) => field.name)]);
  return Object.keys(settings).filter((name) => !known.has(name));
}

/** What a card tells of the settings: texts as they are, kinds by their titles, numbers with what they count. */
export function cardValues(type, settings) {
  const kinds = kindsOf(type.settings);
  const current = { ...type.defaults, ...effectiveSettings(type, settings) };
  const fields = fieldsFor(type.settings, current);
  return type.card.flatMap((name) => {
    const value = current[name];
    if (value === undefined || value === null || value === "") return [];
    if (name === kinds?.name) return kinds.options.find((option) => option.value === value)?.title ?? value;
    const field = fields.find((each) => each.name === name);
    if (!field || typeof value !== "number") return field ? shortValue(value) : [];
    return [field.title, value, field.ui.unit].filter((part) => part !== undefined).join(" ");
  });
}

/** The settings as another kind: what both kinds know stays, the rest are the new kind's defaults. */
export function withKind(schema, settings, value) {
  const name = schema.discriminator.propertyName;
  const next = { [name]: value };
  for (const field of allFields(schema, next)) {
    const kept = settings[field.name];
    const usable = kept !== undefined && valueProblem(field, kept) === null;
    if (usable) next[field.name] = kept;
    else if (field.schema.default !== undefined) next[field.name] = field.schema.default;
  }
  return next;
}

/** @returns {FieldProblem[]} at most one for each visible field */
export function settingsProblems(schema, settings) {
  const kinds = kindsOf(schema);
  if (kinds && !kinds.options.some((option) => option.value === settings[kinds.name])) {
    return [{ field: kinds.name, message: `${titleOf(kinds.name)} must be one of ${kinds.options.map((o) => o.value).join(", ")}.` }];
  }
  return fieldsFor(schema, settings).flatMap((field) => {
    const message = valueProblem(field, settings[field.name]);
    return message ? [{ field: field.name, message }] : [];
  });
}

/** What is wrong with one value, as a sentence with the value in it; null when it is right. */
function valueProblem(field, value) {
  if (value === undefined) return field.required ? `${field.title} is required.` : null;
  if (value === null) return field.nullable ? null : `${field.title} is required.`;
  const { schema, title } = field;
  if (schema.enum && !schema.enum.includes(value)) return `${title} must be one of ${schema.enum.join(", ")}, got ${shown(value)}.`;
  if (schema.const !== undefined && value !== schema.const) return `${title} must be ${shown(schema.const)}, got ${shown(value)}.`;
  const check = CHECKS[typeOf(schema)];
  return check ? check(schema, title, value, field) : null;
}

/** The one type of a schema, "null" left aside; undefined when it is free. */
export function typeOf(schema) {
  const types = [schema.type].flat().filter((type) => type && type !== "null");
  return types.length === 1 ? types[0] : undefined;
}

/** `pool_size` as a label: "Pool size". */
export function titleOf(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const CHECKS = {
  integer: (schema, title, value) =>
    Number.isInteger(value) ? rangeProblem(schema, title, value) : `${title} must be a whole number, got ${shown(value)}.`,
  number: (schema, title, value) =>
    Number.isFinite(value) ? rangeProblem(schema, title, value) : `${title} must be a number, got ${shown(value)}.`,
  boolean: (schema, title, value) => (typeof value === "boolean" ? null : `${title} must be on or off, got ${shown(value)}.`),
  string: stringProblem,
  array: arrayProblem,
};

function rangeProblem(schema, title, value) {
  if (schema.minimum !== undefined && value < schema.minimum) return `${title} must be at least ${schema.minimum}, got ${value}.`;
  if (schema.exclusiveMinimum !== undefined && value <= schema.exclusiveMinimum) return `${title} must be above ${schema.exclusiveMinimum}, got ${value}.`;
  if (schema.maximum !== undefined && value > schema.maximum) return `${title} must be at most ${schema.maximum}, got ${value}.`;
  if (schema.exclusiveMaximum !== undefined && value >= schema.exclusiveMaximum) return `${title} must be below ${schema.exclusiveMaximum}, got ${value}.`;
  return null;
}

function stringProblem(schema, title, value, field) {
  if (typeof value !== "string") return `${title} must be a text, got ${shown(value)}.`;
  const mayBeEmpty = !field.required && !schema.minLength;
  if (value.trim() === "") return mayBeEmpty ? null : `${title} is required.`;
  if (schema.minLength && value.length < schema.minLength) return `${title} must have at least ${schema.minLength} characters, got ${value.length}.`;
  if (schema.maxLength && value.length > schema.maxLength) return `${title} may have ${schema.maxLength} characters, got ${value.length}.`;
  if (schema.pattern && !matches(schema.pattern, value)) return `${title} is not written as it should be, got ${shown(value)}.`;
  return null;
}

function arrayProblem(schema, title, value, field) {
  if (!Array.isArray(value)) return `${title} must be a list, got ${shown(value)}.`;
  if (value.length < (schema.minItems ?? 0)) {
    return value.length === 0 ? `${title} is required.` : `${title} needs at least ${schema.minItems} entries, got ${value.length}.`;
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) return `${title} may have ${schema.maxItems} entries, got ${value.length}.`;
  for (const entry of schema.items ? value : []) {
    const problem = valueProblem({ ...field, title: `Each entry of ${title}`, schema: field.items, nullable: false }, entry);
    if (problem) return problem;
  }
  return null;
}

/** The title somebody gave to a kind: where none was, pydantic puts the name of the class or of the field there. */
function titleOfKind(variant, tag, name) {
  if (tag.title && tag.title !== titleOf(name)) return tag.title;
  return variant.title && !/^\w+Settings$/.test(variant.title) ? variant.title : undefined;
}

function matches(pattern, value) {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true; // Python's patterns are not all ours: the server will say.
  }
}

function variantOf(schema, settings) {
  const kinds = kindsOf(schema);
  if (!kinds) return resolve(schema, schema);
  const index = kinds.options.findIndex((option) => option.value === settings[kinds.name]);
  return index < 0 ? null : resolve(schema.oneOf[index], schema);
}

function allFields(schema, settings) {
  const variant = variantOf(schema, settings);
  return Object.entries(variant?.properties ?? {})
    .filter(([name]) => name !== schema.discriminator?.propertyName)
    .map(([name, property]) => fieldOf(name, property, variant, schema));
}

function fieldOf(name, property, variant, root) {
  const resolved = resolve(property, root);
  const options = resolved.anyOf?.map((option) => resolve(option, root)) ?? [];
  const nullable = options.some((option) => option.type === "null") || [resolved.type].flat().includes("null");
  const real = options.filter((option) => option.type !== "null");
  const schema = real.length === 1 ? { ...resolved, ...real[0], ...titled(resolved), anyOf: undefined } : resolved;
  return {
    name, schema, nullable,
    title: schema.title ?? titleOf(name),
    ui: resolved.ui ?? schema.ui ?? {},
    items: schema.items ? resolve(schema.items, root) : undefined,
    required: (variant.required ?? []).includes(name),
  };
}

function titled({ title, description, default: fallback, ui }) {
  return Object.fromEntries(Object.entries({ title, description, default: fallback, ui }).filter(([, value]) => value !== undefined));
}

function isVisible(field, settings, all) {
  const valueOf = (name) => settings[name] ?? all.find((other) => other.name === name)?.schema.default;
  return Object.entries(field.ui.visible_when ?? {}).every(([name, values]) => [values].flat().includes(valueOf(name)));
}

function resolve(schema, root) {
  if (schema?.$ref) {
    const { $ref, ...beside } = schema;
    return { ...resolve(root.$defs?.[$ref.split("/").at(-1)] ?? {}, root), ...beside };
  }
  if (schema?.allOf?.length === 1) {
    const { allOf, ...beside } = schema;
    return { ...resolve(allOf[0], root), ...beside };
  }
  return schema ?? {};
}

function shown(value) {
  const text = typeof value === "string" ? `"${value}"` : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
