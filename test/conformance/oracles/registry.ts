import type { DetectorName } from '../../../stream/detect/detectors/registry.ts'
import { adwinOracle } from './adwin.ts'
import { chiSquareOracle } from './chi-square.ts'
import { cusumOracle } from './cusum.ts'
import { ddmOracle } from './ddm.ts'
import { energyOracle } from './energy.ts'
import { hddmAOracle } from './hddm-a.ts'
import { isolationForestOracle } from './isolation-forest.ts'
import { jensenShannonOracle } from './jensen-shannon.ts'
import { jensenShannonCategoricalOracle } from './jensen-shannon-categorical.ts'
import { kolmogorovSmirnovOracle } from './kolmogorov-smirnov.ts'
import { kswinOracle } from './kswin.ts'
import { pageHinkleyOracle } from './page-hinkley.ts'
import { psiOracle } from './psi.ts'
import { psiCategoricalOracle } from './psi-categorical.ts'
import { quantileOracle } from './quantile.ts'
import { rangeNoveltyOracle } from './range-novelty.ts'
import { rateOracle } from './rate.ts'
import { robustZOracle } from './robust-z.ts'
import { seasonalOracle } from './seasonal.ts'
import { studentTOracle } from './student-t.ts'
import { wassersteinOracle } from './wasserstein.ts'

/** What each detector is held to, or this file does not compile: one line for each name of the registry. */
export const oracles: Readonly<Record<DetectorName, () => void>> = {
  'kolmogorov-smirnov': kolmogorovSmirnovOracle,
  psi: psiOracle,
  'psi-categorical': psiCategoricalOracle,
  wasserstein: wassersteinOracle,
  'jensen-shannon': jensenShannonOracle,
  'jensen-shannon-categorical': jensenShannonCategoricalOracle,
  'chi-square': chiSquareOracle,
  energy: energyOracle,
  'isolation-forest': isolationForestOracle,
  adwin: adwinOracle,
  'page-hinkley': pageHinkleyOracle,
  kswin: kswinOracle,
  cusum: cusumOracle,
  ddm: ddmOracle,
  'hddm-a': hddmAOracle,
  'student-t': studentTOracle,
  'robust-z': robustZOracle,
  quantile: quantileOracle,
  rate: rateOracle,
  seasonal: seasonalOracle,
  'range-novelty': rangeNoveltyOracle,
}
