import VL2Quant
