/** Fills a cache with the features of so many clips, over and over; a child process of tests. `node cache-writer.ts FOLDER CLIPS` */
import { defaultFeatures } from '../features/index.ts';
import { createFeatureCache } from '../node/feature-cache.ts';
import { clip } from './clip.ts';

const [folder, clips] = [process.argv[2], Number(process.argv[3])];
const cache = createFeatureCache(folder);
process.stdout.write('ready\n');
for (let k = 0; k < clips; k++) await cache.features(clip(k), defaultFeatures({ sampleRateHz: 8000 }), `clip ${k}`);
process.stdout.write(`done ${cache.counts.found} ${cache.counts.computed}\n`);
