// Who may import whom in src/. `npm run boundaries` checks it; test/structure/boundaries.test.ts checks this file,
// because a cruiser that understands no file finds no violation either.

// A folder imports only from those before it.
const DOMAINS = [
  'kernel',
  'db',
  'privacy',
  'audit',
  'identity',
  'licensing',
  'policy',
  // After the stages and the licenses that pin versions; before the catalog, which serves what was released.
  'release',
  'routing',
  'quota',
  'metering',
  'billing',
]
// They follow the domains, and know nothing of each other.
const EDGES = ['gateway', 'oauth', 'admin', 'console', 'jobs', 'tenants']
// Composition and entry points, the last to come.
const APP = '^src/[^/]+\\.ts$'
const RUNTIMES = ['platform', 'cli']

const any = (names) => `(?:${names.join('|')})`
const inside = (names) => `^src/${any(names)}/`

const refuse = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to })

export default {
  forbidden: [
    ...DOMAINS.map((folder, place) =>
      refuse(
        `${folder}-imports-later`,
        'A domain imports only from the domains before it.',
        { path: `^src/${folder}/` },
        { path: [inside([...DOMAINS.slice(place + 1), ...EDGES, ...RUNTIMES]), APP] },
      ),
    ),
    refuse(
      'kernel-imports-nothing',
      'The kernel is the same everywhere, so it depends on nothing.',
      { path: '^src/kernel/' },
      { pathNot: '^src/kernel/' },
    ),
    refuse(
      'edge-imports-edge',
      'What two edges share belongs to a domain.',
      { path: `^src/(${EDGES.join('|')})/` },
      { path: inside(EDGES), pathNot: '^src/$1/' },
    ),
    refuse(
      'edge-imports-later',
      'Edges are composed by app.ts and do not know it.',
      { path: inside(EDGES) },
      { path: [inside(RUNTIMES), APP] },
    ),
    refuse(
      'app-imports-runtime',
      'The app is the same on Node and on Workers: ports come in as arguments.',
      { path: APP },
      { path: inside(RUNTIMES) },
    ),
    refuse(
      'platform-imports-cli',
      'The command starts the platform.',
      { path: '^src/platform/' },
      { path: '^src/cli/' },
    ),
    refuse(
      'cli-imports-app',
      'The command knows platform/node, tenants/ and the doors of the domains; the app is started by the platform.',
      { path: '^src/cli/' },
      { path: [inside(EDGES.filter((edge) => edge !== 'tenants')), '^src/platform/(?!node/)', APP] },
    ),
    refuse(
      'through-the-door',
      'From another folder only its index.ts; platform/ has no door, and is imported by cli/ alone.',
      { path: '^src/([^/]+)' },
      { path: '^src/[^/]+/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$', '^src/platform/'] },
    ),
    refuse(
      'runtime-only-in-platform',
      'What exists on one runtime only stands in platform/ and cli/.',
      { path: '^src/', pathNot: inside(RUNTIMES) },
      {
        path: [
          '^(?:node|cloudflare|workerd):',
          '(?:^|node_modules/)(?:@cloudflare/|@hono/node-server|undici|pg-native)',
        ],
        dependencyTypesNot: ['type-only'],
      },
    ),
    refuse(
      'runtime-only-in-platform',
      'The same, for the modules built into Node.',
      { path: '^src/', pathNot: inside(RUNTIMES) },
      { dependencyTypes: ['core'], dependencyTypesNot: ['type-only'] },
    ),
    refuse(
      'node-and-workers-apart',
      'Each runtime is started without the other.',
      { path: '^src/platform/(node|workers)/' },
      { path: '^src/platform/(?:node|workers)/', pathNot: '^src/platform/$1/' },
    ),
    refuse(
      'database-only-in-stores',
      'SQL stands in db/, in a store.ts (or store-<what>.ts) and in platform/, where a reader looks for it.',
      {
        path: '^src/',
        pathNot: ['^src/db/', '^src/[^/]+/store\\.ts$', '^src/[^/]+/store-[^/]+\\.ts$', '^src/platform/'],
      },
      { path: '(?:^|node_modules/)(?:pg|kysely)(?:/|$)' },
    ),
    refuse(
      'only-declared-packages',
      'A running gateway has no development dependencies.',
      { path: '^src/' },
      { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    ),
    refuse(
      'src-stands-alone',
      'Tests and tools import the source, never the other way round.',
      { path: '^src/' },
      { path: '^(?!src/|node_modules/)', dependencyTypes: ['local'] },
    ),
    refuse(
      'folder-has-a-place',
      'A new folder in src/ gets its place in this file first.',
      { path: '^src/' },
      { path: `^src/(?!${any([...DOMAINS, ...EDGES, ...RUNTIMES])}/)[^/]+/` },
    ),
    refuse(
      'folder-has-a-place',
      'The same, for a folder that nobody imports yet.',
      { path: `^src/(?!${any([...DOMAINS, ...EDGES, ...RUNTIMES])}/)[^/]+/` },
      {},
    ),
    refuse(
      'every-import-resolves',
      'An import that the cruiser cannot follow is one that it cannot judge.',
      { path: '^src/' },
      { couldNotResolve: true, pathNot: '^(?:cloudflare|workerd):' },
    ),
    refuse('no-cycle', 'What needs each other is one thing.', { path: '^src/' }, { circular: true }),
  ],
  options: {
    // TypeScript 7 has no API that the cruiser knows: with it alone no module is read, and nothing is found.
    parser: 'swc',
    // Type imports count too: an order that only types break is broken.
    tsPreCompilationDeps: true,
    exclude: '\\.test\\.ts$',
    doNotFollow: 'node_modules',
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
}
