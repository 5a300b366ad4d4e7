/** The 24 speakers of the core test set, two men and a woman of each dialect region; Garofolo et al. 1993, TIMIT's `testset.doc`. */
export const coreTestSpeakers: ReadonlySet<string> = new Set([
  'MDAB0', 'MWBT0', 'FELC0', 'MTAS1', 'MWEW0', 'FPAS0', 'MJMP0', 'MLNT0', 'FPKT0', 'MLLL0', 'MTLS0', 'FJLM0',
  'MBPM0', 'MKLT0', 'FNLP0', 'MCMJ0', 'MJDH0', 'FMGD0', 'MGRT0', 'MNJM0', 'FDHC0', 'MJLN0', 'MPAM0', 'FMLD0',
]);

/** The 50 speakers of the test part that development uses, none of the core test set; Halberstadt 1998, as in Kaldi's recipe. */
export const devSpeakers: ReadonlySet<string> = new Set([
  'FAKS0', 'FDAC1', 'FJEM0', 'MGWT0', 'MJAR0', 'MMDB1', 'MMDM2', 'MPDF0', 'FCMH0', 'FKMS0', 'MBDG0', 'MBWM0', 'MCSH0', 'FADG0', 'FDMS0', 'FEDW0', 'MGJF0',
  'MGLB0', 'MRTK0', 'MTAA0', 'MTDT0', 'MTHC0', 'MWJG0', 'FNMR0', 'FREW0', 'FSEM0', 'MBNS0', 'MMJR0', 'MDLS0', 'MDLF0', 'MDVC0', 'MERS0', 'FMAH0', 'FDRW0',
  'MRCS0', 'MRJM4', 'FCAL1', 'MMWH0', 'FJSJ0', 'MAJC0', 'MJSW0', 'MREB0', 'FGJD0', 'FJMG0', 'MROA0', 'MTEB0', 'MJFC0', 'MRJR0', 'FMML0', 'MRWS1',
]);
