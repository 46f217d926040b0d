// Reads an array of CloudFormation templates from standard input, and prints
// for each what AWS's specification of resources has against it, and how many
// properties were looked at.
import { readFileSync } from 'node:fs';
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';

const spec = loadAwsServiceSpecSync();

class Check {
  wrong = [];
  looked = 0;
  kinds = {};

  constructor(template) {
    for (const [name, one] of Object.entries(template.Resources)) {
      [this.kinds[name]] = spec.lookup('resource', 'cloudFormationType', 'equals', one.Type);
      if (!this.kinds[name]) this.say(name, `there is no type ${one.Type}`);
    }
    for (const [name, one] of Object.entries(template.Resources)) {
      for (const other of one.DependsOn ?? []) if (!this.kinds[other]) this.say(name, `depends on ${other}, which is not there`);
      if (this.kinds[name]) this.properties(name, this.kinds[name].properties, one.Properties);
    }
    for (const [name, one] of Object.entries(template.Outputs)) this.reference(`output ${name}`, one.Value);
  }

  say(where, what) {
    this.wrong.push(`${where}: ${what}`);
  }

  // reference checks {"Fn::GetAtt": [resource, attribute]}.
  reference(where, value) {
    const [name, attribute] = value['Fn::GetAtt'];
    if (!this.kinds[name]) this.say(where, `there is no resource ${name}`);
    else if (!(attribute in this.kinds[name].attributes)) this.say(where, `${name} has no attribute ${attribute}`);
  }

  properties(where, known, value) {
    for (const [name, property] of Object.entries(known)) {
      if (property.required && !(name in value)) this.say(where, `${name} is missing`);
    }
    for (const [name, inner] of Object.entries(value)) {
      const at = `${where}.${name}`;
      this.looked++;
      if (!known[name]) this.say(at, 'is not known');
      else if (!this.fits(at, known[name].type, inner)) this.say(at, `is no ${known[name].type.type}`);
    }
  }

  fits(where, type, value) {
    if (value !== null && typeof value === 'object' && 'Fn::GetAtt' in value) {
      this.reference(where, value);
      return type.type === 'string';
    }
    switch (type.type) {
      case 'string': return typeof value === 'string';
      case 'integer': return Number.isInteger(value);
      case 'number': return typeof value === 'number';
      case 'boolean': return typeof value === 'boolean';
      case 'json': return value !== null && typeof value === 'object' && this.inside(where, value);
      case 'tag': return typeof value.Key === 'string' && typeof value.Value === 'string' && Object.keys(value).length === 2;
      case 'array': return Array.isArray(value) && value.every((one, i) => this.fits(`${where}.${i}`, type.element, one));
      case 'union': return type.types.some((one) => this.fits(where, one, value));
      case 'ref': this.properties(where, spec.get('typeDefinition', type.reference.$ref).properties, value); return true;
    }
    throw new Error(`${where}: the specification has a type ${type.type}`);
  }

  // inside finds references in what may be any JSON.
  inside(where, value) {
    if (value !== null && typeof value === 'object') {
      if ('Fn::GetAtt' in value) this.reference(where, value);
      else Object.values(value).forEach((one) => this.inside(where, one));
    }
    return true;
  }
}

const templates = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(templates.map((one) => new Check(one)).map(({ wrong, looked }) => ({ wrong, looked }))));
