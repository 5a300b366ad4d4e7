import { defineDataset } from '@coppice/speech';
import { openTree, readAudio, readText } from '@coppice/speech/node';

/** PART/SPEAKER_NAME.wav with PART/SPEAKER_NAME.txt beside it: coppice train --plugin ./custom-dataset.ts --dataset pairs:/data/mine --out mine.onnx */
export default defineDataset({
  name: 'pairs',
  async open(folder) {
    const tree = await openTree(folder);
    const utterance = async (path: string) => ({ id: path, speaker: path.split(/[/_]/)[1], transcript: (await readText(tree, `${path}.txt`)).trim(), audio: () => readAudio(tree, `${path}.wav`) });
    const utterances = async (split: string) => Promise.all((await tree.list(split)).files.filter((file) => file.endsWith('.wav')).map((file) => utterance(`${split}/${file.slice(0, -4)}`)));
    return { name: 'pairs', splits: (await tree.list('')).folders, utterances };
  },
});
