"""PyTorch's public names that taeda does not have, by the reason: the last part of the capability matrix.

The names exist, so that a program which only imports them runs; using one raises NotImplementedError with the reason.
"""

from __future__ import annotations

_SCRIPT = "TorchScript has no counterpart: programs run as the Python that they are"
_SYMBOLIC = "shapes are plain ints: nothing is traced with symbols"
_DISPATCH = "operations are rows of a registry, not keys of a dispatcher; taeda.ops tells about them"
_CUDA_ONLY = "the function exists for CUDA devices only, in PyTorch too"
_ONEDNN = "tensors have no oneDNN layout; the plain function does the same"
_QUANTIZED = "there are no quantised tensors"
_SPARSE = "there are no sparse tensors of this kind"
_STREAM = "the cpu runs operations in their order: there are no streams or events"
DTYPE = "no operation is defined on this dtype"
_FILES = "taeda reads and writes PyTorch's files in Python: taeda.save, taeda.load"
_TOOLS = "an internal tool of PyTorch's tests and builds"

# Modules, by their names in the package.
MODULES: dict[str, str] = {
    "cpp": "there is no C++ frontend whose modules could be wrapped",
    "export": "nothing is traced: programs run as the Python that they are",
    "fx": "nothing is traced: programs run as the Python that they are",
    "jit": _SCRIPT,
    "onnx": "it needs a graph of the whole program, and nothing is traced",
}

# reason -> names in the package
ABSENT: dict[str, str] = {
    _SCRIPT: "AliasDb AnyType Argument ArgumentSpec AwaitType Block BoolType BufferDict CallStack Capsule ClassType Code "
    "CompilationUnit CompleteArgumentSpec ComplexType ConcreteModuleType ConcreteModuleTypeBuilder DeepCopyMemoTable "
    "DeserializationStorageContext DeviceObjType DictType EnumType ErrorReport ExecutionPlan FloatType FunctionSchema "
    "FutureType Gradient Graph GraphExecutorState IODescriptor InferredType IntType InterfaceType JITException ListType "
    "LiteScriptModule ModuleDict Node NoneType NumberType OperatorInfo OptionalType ParameterDict PyObjectType RRefType "
    "ScriptClass ScriptClassFunction ScriptDict ScriptDictIterator ScriptDictKeyIterator ScriptFunction ScriptList "
    "ScriptListIterator ScriptMethod ScriptModule ScriptModuleSerializer ScriptObject ScriptObjectProperty "
    "SerializationStorageContext StaticModule StreamObjType StringType TensorType TracingState TupleType Type UnionType Use "
    "Value import_ir_module import_ir_module_from_buffer merge_type_from_type_comment parse_ir parse_schema "
    "parse_type_comment unify_type_list",
    _SYMBOLIC: "SymBool SymBoolType SymFloat SymInt SymIntType sym_constrain_range sym_constrain_range_for_size sym_fresh_size",
    _DISPATCH: "DispatchKey DispatchKeySet ExcludeDispatchKeyGuard Tag",
    _TOOLS: "AVG AggregationType AcceleratorError BenchmarkConfig BenchmarkExecutionStats FatalError FileCheck LockingLogger "
    "NoopLogger SUM ThroughputBenchmark",
    _FILES: "PyTorchFileReader PyTorchFileWriter",
    _STREAM: "Event Stream",
    _CUDA_ONLY: "batch_norm_backward_elemt batch_norm_backward_reduce batch_norm_elemt batch_norm_gather_stats "
    "batch_norm_gather_stats_with_counts batch_norm_stats cudnn_affine_grid_generator cudnn_batch_norm cudnn_convolution "
    "cudnn_convolution_add_relu cudnn_convolution_relu cudnn_convolution_transpose cudnn_grid_sampler miopen_batch_norm "
    "miopen_convolution miopen_convolution_add_relu miopen_convolution_relu miopen_convolution_transpose miopen_ctc_loss "
    "miopen_depthwise_convolution miopen_rnn native_norm",
    _ONEDNN: "mkldnn_adaptive_avg_pool2d mkldnn_convolution mkldnn_linear_backward_weights mkldnn_max_pool2d "
    "mkldnn_max_pool3d mkldnn_rnn_layer",
    _QUANTIZED: "choose_qparams_optimized dequantize empty_quantized fake_quantize_per_channel_affine "
    "fake_quantize_per_tensor_affine fbgemm_linear_fp16_weight fbgemm_linear_fp16_weight_fp32_activation "
    "fbgemm_linear_int8_weight fbgemm_linear_int8_weight_fp32_activation fbgemm_linear_quantize_weight "
    "fbgemm_pack_gemm_matrix_fp16 fbgemm_pack_quantized_matrix fused_moving_avg_obs_fake_quant int_repr q_per_channel_axis "
    "q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme quantize_per_channel quantize_per_tensor "
    "quantize_per_tensor_dynamic quantized_batch_norm quantized_gru_cell quantized_lstm_cell quantized_max_pool1d "
    "quantized_max_pool2d quantized_max_pool3d quantized_rnn_relu_cell quantized_rnn_tanh_cell",
    _SPARSE: "ccol_indices_copy col_indices_copy crow_indices_copy dsmm hsmm hspmm indices_copy resize_as_sparse_ "
    "row_indices_copy saddmm smm sparse_bsc_tensor sparse_bsr_tensor sparse_compressed_tensor sparse_coo_tensor "
    "sparse_csc_tensor sparse_csr_tensor spmm sspaddmm values_copy",
}

DTYPES = (
    "complex32 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2 bits1x8 bits2x4 "
    "bits4x2 bits8 bits16 int1 int2 int3 int4 int5 int6 int7 uint1 uint2 uint3 uint4 uint5 uint6 uint7 qint8 qint32 quint8 "
    "quint4x2 quint2x4"
).split()
OTHER_NAMES = {"chalf": "complex32", "bit": "uint1"}
ABSENT[DTYPE] = " ".join([*DTYPES, *OTHER_NAMES, "jagged"])
