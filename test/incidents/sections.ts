import type { Incident } from './incident.ts'
import { meteringIncidents } from './metering.ts'
import { moneyIncidents } from './money.ts'
import { outageIncidents } from './outages.ts'
import { securityIncidents } from './security.ts'

export const sections: readonly { readonly title: string; readonly incidents: readonly Incident[] }[] = [
  { title: 'Money and quota', incidents: moneyIncidents },
  { title: 'Metering', incidents: meteringIncidents },
  { title: 'Outages and scale', incidents: outageIncidents },
  { title: 'Security', incidents: securityIncidents },
]
