// Builds gql/explorer from this folder: the script, the style sheet, the page, the icon, and the licences of all that is inside them.
import { readFile, readdir, rm, mkdir, copyFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, '..', 'gql', 'explorer');

/** GraphiQL's style sheet embeds two fonts, two thirds of its size; explorer.css names the system's instead. */
const withoutEmbeddedFonts = {
  name: 'without-embedded-fonts',
  setup(build) {
    build.onLoad({ filter: /graphiql[/\\]dist[/\\]style\.css$/ }, async ({ path }) => {
      const css = await readFile(path, 'utf8');
      return { contents: css.replace(/@font-face\s*\{[^}]*\}/g, ''), loader: 'css' };
    });
  },
};

async function bundle() {
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: { explorer: 'main.jsx' },
    outdir: target,
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    loader: { '.graphql': 'text' },
    plugins: [withoutEmbeddedFonts],
    legalComments: 'none',
    banner: { js: '/*! Built from explorer/; the licences are in LICENSES.txt. */', css: '/*! Built from explorer/; the licences are in LICENSES.txt. */' },
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

/** The folders of the packages that some byte of the bundle comes from. */
function bundledPackages({ outputs }) {
  const folders = new Set();
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = path.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1];
      if (folder && bytesInOutput > 0) folders.add(folder);
    }
  }
  return [...folders].sort();
}

/** Packages that bring no text of their licence, each with one from the same hands that does. */
const SAME_HANDS = {
  '@graphiql/plugin-doc-explorer': '@graphiql/react',
  '@graphiql/plugin-history': '@graphiql/react',
  'react-compiler-runtime': 'react',
  'react-remove-scroll-bar': 'react-remove-scroll',
};

async function licence(folder) {
  const about = JSON.parse(await readFile(join(here, folder, 'package.json'), 'utf8'));
  const text = (await texts(folder)) || (await texts(`node_modules/${SAME_HANDS[about.name]}`)) || (await standardText(about));
  return { title: `${about.name} ${about.version} (${about.license})`, text };
}

async function texts(folder) {
  const names = await readdir(join(here, folder)).catch(() => []);
  const wanted = names.filter((name) => /^(licen[cs]e|notice)/i.test(name)).sort();
  const found = await Promise.all(wanted.map((name) => readFile(join(here, folder, name), 'utf8')));
  return found.join('\n\n').replace(/\r\n/g, '\n').trim();
}

async function standardText({ name, license, author }) {
  if (license !== 'MIT' || !author) throw new Error(`${name} (${license}) brings no text of its licence: find it`);
  const mit = await texts('node_modules/@graphiql/react');
  return mit.replace(/^Copyright .*$/m, `Copyright (c) ${author.name ?? author}`);
}

/** One text may cover many packages: it is printed once, below the names of all of them. */
async function licences(metafile) {
  const titles = new Map();
  for (const { title, text } of await Promise.all(bundledPackages(metafile).map(licence))) {
    titles.set(text, [...(titles.get(text) ?? []), title]);
  }
  const sections = [...titles].map(([text, names]) => `${'='.repeat(80)}\n${names.join('\n')}\n${'-'.repeat(80)}\n${text}\n`);
  return `explorer.js and explorer.css contain code of the following packages.\n\n${sections.join('\n')}`;
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const metafile = await bundle();
await writeFile(join(target, 'LICENSES.txt'), await licences(metafile));
for (const name of ['index.html', 'icon.svg']) await copyFile(join(here, name), join(target, name));
